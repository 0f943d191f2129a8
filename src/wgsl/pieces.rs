//! The pieces of `shaders/common/`: functions that several kernels call.

use super::{Piece, piece};

macro_rules! common {
    ($($constant:ident = $name:literal needs [$($need:ident),*];)*) => {
        $(pub(crate) static $constant: Piece = piece!(concat!("common/", $name), [$(&$need),*]);)*
    };
}

common! {
    ADAM_DIRECTION = "adam_direction" needs [EXP_MINUS_ONE];
    ADD_TO_SUMS = "add_to_sums" needs [];
    CURSOR = "cursor" needs [];
    EXP_MINUS_ONE = "exp_minus_one" needs [];
    FINITE = "finite" needs [];
    FIXED_POINT_SCALE = "fixed_point_scale" needs [];
    FUSED_TILE = "fused_tile" needs [];
    GRID_POINT3 = "grid_point3" needs [FINITE];
    GRID_POINT4 = "grid_point4" needs [FINITE];
    GRID_TANGENT = "grid_tangent" needs [];
    HALVES_U64 = "halves_u64" needs [];
    HALVES_VEC2 = "halves_vec2" needs [];
    LOGISTIC = "logistic" needs [];
    LOG_ONE_PLUS = "log_one_plus" needs [];
    INFER_BLOCK = "infer_block" needs [];
    LOSS_ROW = "loss_row" needs [];
    MAGNITUDE = "magnitude" needs [];
    MARK_DIVERGED = "mark_diverged" needs [STEP_COUNTER];
    PERMUTATION = "permutation" needs [];
    PRODUCT = "product" needs [];
    PRODUCT_BLOCKS = "product_blocks" needs [];
    PRODUCT_C_SCALAR = "product_c_scalar" needs [];
    PRODUCT_C_VEC4 = "product_c_vec4" needs [];
    QUANTA_DIRECT = "quanta_direct" needs [ADD_TO_SUMS];
    QUANTA_WORKGROUP = "quanta_workgroup" needs [ADD_TO_SUMS];
    QUARTER_TURNS = "quarter_turns" needs [];
    RUNS = "runs" needs [];
    SCALAR = "scalar" needs [FINITE];
    SCHEDULE = "schedule" needs [];
    SHARED_SUM = "shared_sum" needs [];
    STEP_COUNTER = "step_counter" needs [];
    STORED_U64X2 = "stored_u64x2" needs [];
    STORED_VEC4 = "stored_vec4" needs [];
    SUMS_SCALAR = "sums_scalar" needs [];
    SUMS_VEC4 = "sums_vec4" needs [];
    VEC4 = "vec4" needs [FINITE];
    WORKGROUP_MAX = "workgroup_max" needs [];
    WORKGROUP_SUM = "workgroup_sum" needs [];
}
