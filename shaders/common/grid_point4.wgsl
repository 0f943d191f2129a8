// Points and cells of grids of four dimensions.
alias GridPoint = vec4<f32>;
alias GridCell = vec4<u32>;

fn grid_corner(c: u32) -> GridCell {
    return GridCell(c & 1u, (c >> 1u) & 1u, (c >> 2u) & 1u, c >> 3u);
}

fn grid_hash(c: GridCell) -> u32 {
    return c.x ^ (c.y * 2654435761u) ^ (c.z * 805459861u) ^ (c.w * 3674653429u);
}

// The factor of each dimension in a corner's weight.
fn grid_factors(corner: GridCell, shares: GridPoint) -> GridPoint {
    return select(1.0 - shares, shares, corner == GridCell(1u));
}

fn grid_product(f: GridPoint) -> f32 {
    return f.x * f.y * f.z * f.w;
}

// For each dimension, the product of the other factors.
fn grid_other_factors(f: GridPoint) -> GridPoint {
    let low = f.x * f.y;
    let high = f.z * f.w;
    return GridPoint(f.y * high, f.x * high, low * f.w, low * f.z);
}

// The first coordinate that is not finite; the clamp would hide it.
fn grid_fault(x: GridPoint) -> f32 {
    let low = select(x.x, x.y, is_finite(x.x));
    let high = select(x.z, x.w, is_finite(x.z));
    return select(low, high, is_finite(low));
}

// How these products change where the factors change by t.
fn grid_other_factors_along(f: GridPoint, t: GridPoint) -> GridPoint {
    let low = f.x * f.y;
    let high = f.z * f.w;
    let low_t = t.x * f.y + f.x * t.y;
    let high_t = t.z * f.w + f.z * t.w;
    return GridPoint(
        t.y * high + f.y * high_t,
        t.x * high + f.x * high_t,
        low_t * f.w + low * t.w,
        low_t * f.z + low * t.z,
    );
}
