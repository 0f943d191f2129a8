// A scatter's contributions, each added to the sums by itself.

fn begin_block(level: GridLevel, local: u32) {}

// Adds to feature `i` of an entry, whose model's tables begin at element `first`.
fn add_quanta(quanta: i32, level: GridLevel, first: u32, entry: u32, i: u32) {
    add_to_sums(quanta, first + entry * GRID_FEATURES + i);
}

fn end_block(level: GridLevel, first: u32, local: u32) {}
