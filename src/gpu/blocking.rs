//! The blocking forms of what waits, generated from the forms that do not block.

/// Writes for each function `NAME … = ASYNC;` one that blocks on `ASYNC` with its arguments.
macro_rules! blocking {
    (impl $($ty:ident)for+ {
        $($(#[$meta:meta])* $vis:vis fn $name:ident(
            &mut self $(, $argument:ident: $kind:ty)*
        ) -> $result:ty = $inner:ident;)*
    }) => {
        impl $($ty)for+ {
            $($(#[$meta])* $vis fn $name(&mut self $(, $argument: $kind)*) -> $result {
                pollster::block_on(self.$inner($($argument),*))
            })*
        }
    };
}
pub(crate) use blocking;
