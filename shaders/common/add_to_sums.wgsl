// Adds a number of quanta to the sums of the element `at`: the lower bits with their sign to one
// integer, and the rest, which is 0 for most contributions, to the other.
fn add_to_sums(quanta: i32, at: u32) {
    let shift = 32u - params.low;
    let lower = (quanta << shift) >> shift;
    // The rest without a difference, which could overflow: the arithmetic shift, rounded to nearest.
    let upper = (quanta >> params.low) + ((quanta >> (params.low - 1u)) & 1i);
    if (lower != 0i) {
        atomicAdd(&sums[2u * at], lower);
    }
    if (upper != 0i) {
        atomicAdd(&sums[2u * at + 1u], upper);
    }
}
