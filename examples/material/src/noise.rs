//! Noise that repeats: the unit square's edges fit each other.

/// Evenly spread bits of a cell and a seed.
fn bits(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ seed.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
    h ^ (h >> 15) ^ (h << 11)
}

/// A number of 0 to 1 for a cell.
pub fn random(x: i32, y: i32, seed: u32) -> f32 {
    (bits(x, y, seed) >> 8) as f32 / (1 << 24) as f32
}

pub fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

pub fn mix3(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|i| mix(a[i], b[i], share))
}

/// 0 up to `low`, 1 from `high`, smooth between.
pub fn step(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A cell and the next one, of so many that repeat.
fn around(cell: i32, cells: i32) -> [i32; 2] {
    // Most places lie inside, and a division takes long.
    let first = if (0..cells).contains(&cell) { cell } else { cell.rem_euclid(cells) };
    [first, if first + 1 == cells { 0 } else { first + 1 }]
}

/// The cell of a place, and how far in it the place is.
fn split(place: f32, cells: i32) -> (i32, f32) {
    let scaled = place * cells as f32;
    let cell = scaled as i32 - i32::from(scaled < 0.0);
    (cell, scaled - cell as f32)
}

/// Gradient noise of about -1 to 1 with `cells` in each direction of the unit square.
pub fn gradient(place: [f32; 2], cells: [i32; 2], seed: u32) -> f32 {
    let [(column, x), (row, y)] = [split(place[0], cells[0]), split(place[1], cells[1])];
    let [columns, rows] = [around(column, cells[0]), around(row, cells[1])];
    let at = |right: usize, down: usize| {
        // A slope in any direction, of any steepness up to a bound.
        let slopes = bits(columns[right], rows[down], seed);
        let along = |shift: u32| ((slopes >> shift) & 0xFFFF) as f32 / 32768.0 - 1.0;
        along(0) * (x - right as f32) + along(16) * (y - down as f32)
    };
    let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let [across, down] = [fade(x), fade(y)];
    1.6 * mix(mix(at(0, 0), at(1, 0), across), mix(at(0, 1), at(1, 1), across), down)
}

/// Octaves of gradient noise, each of twice the cells and `gain` times the strength; about -1 to 1.
pub fn octaves(place: [f32; 2], cells: [i32; 2], count: u32, gain: f32, seed: u32) -> f32 {
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for octave in 0..count {
        let cells = cells.map(|n| n << octave);
        sum += weight * gradient(place, cells, seed.wrapping_add(octave));
        weights += weight * weight;
        weight *= gain;
    }
    sum / f32::sqrt(weights)
}

/// The distance to the nearest of scattered points, one a cell, in cells; and a number of that point's own.
pub fn nearest(place: [f32; 2], cells: [i32; 2], seed: u32) -> (f32, f32) {
    let [(column, x), (row, y)] = [split(place[0], cells[0]), split(place[1], cells[1])];
    let three = |cell: i32, cells: i32| {
        let [before, cell] = around(cell - 1, cells);
        [before, cell, around(cell, cells)[1]]
    };
    let columns = three(column, cells[0]);
    let rows = three(row, cells[1]);
    let mut found = (f32::INFINITY, [0; 2]);
    for (down, row) in (-1..).zip(rows) {
        for (right, column) in (-1..).zip(columns) {
            // Both parts of a point's place from one number.
            let own = bits(column, row, seed);
            let part = |shift: u32| ((own >> shift) & 0xFFFF) as f32 / 65536.0;
            let apart = [right as f32 + part(0) - x, down as f32 + part(16) - y];
            let square = apart[0] * apart[0] + apart[1] * apart[1];
            if square < found.0 {
                found = (square, [column, row]);
            }
        }
    }
    let (square, [column, row]) = found;
    (square.sqrt(), random(column, row, seed ^ 0xAA))
}
