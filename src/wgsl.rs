//! Pieces of WGSL and how a kernel's text is put together of them.

use crate::Target;

/// Functions, mostly without bindings, and the pieces that they call.
#[derive(Debug)]
pub(crate) struct Wgsl {
    pub name: &'static str,
    pub text: &'static str,
    pub needs: &'static [&'static Wgsl],
}

macro_rules! common {
    ($($constant:ident = $name:literal needs [$($need:ident),*];)*) => {
        $(pub(crate) static $constant: Wgsl = Wgsl {
            name: concat!("common/", $name),
            text: include_str!(concat!("../shaders/common/", $name, ".wgsl")),
            needs: &[$(&$need),*],
        };)*
    };
}

common! {
    FINITE = "finite" needs [];
    LOGISTIC = "logistic" needs [];
    LOG_ONE_PLUS = "log_one_plus" needs [];
    EXP_MINUS_ONE = "exp_minus_one" needs [];
    ADAM_DIRECTION = "adam_direction" needs [EXP_MINUS_ONE];
    QUARTER_TURNS = "quarter_turns" needs [];
    PERMUTATION = "permutation" needs [];
    HYPER = "hyper" needs [];
    LOSS_ROW = "loss_row" needs [];
    CURSOR = "cursor" needs [];
    WORDS = "words" needs [FINITE];
    FOURS = "fours" needs [FINITE];
    RUNS = "runs" needs [];
    PRODUCT = "product" needs [];
    PRODUCT_BLOCKS = "product_blocks" needs [];
    PRODUCT_A_WORDS = "product_a_words" needs [];
    PRODUCT_A_FOURS = "product_a_fours" needs [];
    PRODUCT_B_WORDS = "product_b_words" needs [];
    PRODUCT_B_FOURS = "product_b_fours" needs [];
    PRODUCT_C_WORDS = "product_c_words" needs [];
    PRODUCT_C_FOURS = "product_c_fours" needs [];
    PRODUCT_A_HALVES = "product_a_halves" needs [];
    PRODUCT_B_HALVES = "product_b_halves" needs [];
    HALVES_PAIRS = "halves_pairs" needs [];
    HALVES_WORDS = "halves_words" needs [];
    STORED_PAIRS = "stored_pairs" needs [];
    STORED_VECTORS = "stored_vectors" needs [];
    QUANTA = "quanta" needs [];
    SUMS_WORDS = "sums_words" needs [];
    SUMS_FOURS = "sums_fours" needs [];
    TEXELS_R32FLOAT = "texels_r32float" needs [];
    TEXELS_RGBA16FLOAT = "texels_rgba16float" needs [];
    TEXELS_RGBA8UNORM = "texels_rgba8unorm" needs [];
}

/// Elements one by one, or four by four as `target` holds them.
pub(crate) fn words(fours: bool, target: &Target) -> Vec<&'static Wgsl> {
    if fours { vec![&FOURS, stored(target)] } else { vec![&WORDS] }
}

/// How `target` holds four words of a buffer.
pub(crate) const fn stored(target: &Target) -> &'static Wgsl {
    if pairs(target) { &STORED_PAIRS } else { &STORED_VECTORS }
}

/// How `target` holds four numbers in f16.
pub(crate) const fn halves(target: &Target) -> &'static Wgsl {
    if pairs(target) { &HALVES_PAIRS } else { &HALVES_WORDS }
}

const fn pairs(target: &Target) -> bool {
    target.software && target.int64
}

/// `source`, then `glue`, then every piece once: the kernel stands first, so that an error's line
/// number is the file's own.
pub(crate) fn compose(source: &str, glue: &str, pieces: &[&'static Wgsl]) -> String {
    let mut text = format!("{source}\n{glue}");
    let mut seen = Vec::new();
    let mut open = pieces.to_vec();
    while let Some(piece) = open.pop() {
        if seen.contains(&piece.name) {
            continue;
        }
        seen.push(piece.name);
        text.push('\n');
        text.push_str(piece.text);
        open.extend(piece.needs);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_needed_twice_appears_once() {
        static LEAF: Wgsl = Wgsl { name: "leaf", text: "leaf", needs: &[] };
        static LEFT: Wgsl = Wgsl { name: "left", text: "left", needs: &[&LEAF] };
        static RIGHT: Wgsl = Wgsl { name: "right", text: "right", needs: &[&LEAF] };
        let text = compose("kernel", "glue", &[&LEFT, &RIGHT, &LEAF]);
        assert_eq!(text, "kernel\nglue\nleaf\nright\nleft");
    }
}
