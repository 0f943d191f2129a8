//! WGSL structs and bindings, generated from their Rust definitions.

/// The name and the WGSL type of a struct's field.
pub(crate) type Field = (&'static str, &'static str);

/// Defines a `#[repr(C)]` struct that a shader reads, whose fields have four bytes each. It also
/// defines `FIELDS`, from which [`structure`] generates the WGSL text.
macro_rules! shader_struct {
    ($(#[$meta:meta])* $vis:vis $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        $vis struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) const FIELDS: &'static [$crate::wgsl::Field] =
                &[$((stringify!($field), stringify!($type))),*];
        }
    };
}
pub(crate) use shader_struct;

/// `struct NAME { … }`
pub(crate) fn structure(name: &str, fields: impl IntoIterator<Item = Field>) -> String {
    let fields: String =
        fields.into_iter().map(|(name, kind)| format!("    {name}: {kind},\n")).collect();
    format!("struct {name} {{\n{fields}}}\n")
}

/// `@group(0) @binding(INDEX) var<SPACE> NAME: KIND;`. A texture has no address space.
pub(crate) fn binding(index: usize, space: Option<&str>, name: &str, kind: &str) -> String {
    let space = space.map_or(String::new(), |space| format!("<{space}>"));
    format!("@group(0) @binding({index}) var{space} {name}: {kind};\n")
}
