// A scatter's contributions, added up in workgroup memory: one sum for each feature of the level's
// entries. The sums of a block are then added to those of all blocks.

var<workgroup> block_sums: array<atomic<i32>, BLOCK_SUMS>;

fn begin_block(level: GridLevel, local: u32) {
    for (var i = local; i < level.size * GRID_CHUNK; i += WORKGROUP) {
        atomicStore(&block_sums[i], 0i);
    }
    workgroupBarrier();
}

// Adds to feature `i` of an entry. What a block's sum could not hold goes to the upper sum of all
// blocks, which counts in units of 2^low.
fn add_quanta(quanta: i32, level: GridLevel, first: u32, entry: u32, i: u32) {
    let shift = 32u - params.block_low;
    let lower = (quanta << shift) >> shift;
    let upper = (quanta - lower) >> params.low;
    if (lower != 0i) {
        atomicAdd(&block_sums[(entry - level.first) * GRID_CHUNK + i], lower);
    }
    if (upper != 0i) {
        atomicAdd(&sums[2u * (first + entry * GRID_FEATURES + i) + 1u], upper);
    }
}

fn end_block(level: GridLevel, first: u32, local: u32) {
    workgroupBarrier();
    for (var i = local; i < level.size * GRID_CHUNK; i += WORKGROUP) {
        let sum = atomicLoad(&block_sums[i]);
        if (sum != 0i) {
            let entry = level.first + i / GRID_CHUNK;
            add_to_sums(sum, first + entry * GRID_FEATURES + i % GRID_CHUNK);
        }
    }
}
