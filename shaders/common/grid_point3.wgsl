// Points and cells of grids of one to three dimensions. A missing coordinate is 0, and its factor 1.
alias GridPoint = vec3<f32>;
alias GridCell = vec3<u32>;

fn grid_corner(c: u32) -> GridCell {
    return GridCell(c & 1u, (c >> 1u) & 1u, c >> 2u);
}

fn grid_hash(c: GridCell) -> u32 {
    return c.x ^ (c.y * 2654435761u) ^ (c.z * 805459861u);
}

// The factor of each dimension in a corner's weight.
fn grid_factors(corner: GridCell, shares: GridPoint) -> GridPoint {
    let factors = select(1.0 - shares, shares, corner == GridCell(1u));
    let third = select(1.0, factors.z, GRID_CORNERS > 4u);
    return GridPoint(factors.x, select(1.0, factors.y, GRID_CORNERS > 2u), third);
}

fn grid_product(f: GridPoint) -> f32 {
    return f.x * f.y * f.z;
}

// For each dimension, the product of the other factors.
fn grid_other_factors(f: GridPoint) -> GridPoint {
    return GridPoint(f.y * f.z, f.x * f.z, f.x * f.y);
}

// The first coordinate that is not finite; the clamp would hide it.
fn grid_fault(x: GridPoint) -> f32 {
    return select(select(x.x, x.y, is_finite(x.x)), x.z, is_finite(x.x) && is_finite(x.y));
}

// How these products change where the factors change by t. A missing dimension's t is 0.
fn grid_other_factors_along(f: GridPoint, t: GridPoint) -> GridPoint {
    return GridPoint(t.y * f.z + f.y * t.z, t.x * f.z + f.x * t.z, t.x * f.y + f.x * t.y);
}
