// Several words an invocation, 64 apart. Needs LANES of scalar.wgsl or vec4.wgsl.

// Words of an invocation, at most 8, so that each element has a bit: on a CPU what an invocation
// begins and ends with costs as much as one.
override RUNS: u32 = 1u;

// One past the last word of the invocation whose first is `begin`.
fn end_of_run(begin: u32, elements: u32) -> u32 {
    return min(begin + RUNS * 64u, (elements + LANES - 1u) / LANES);
}

// Where the bits of word `i` begin.
fn first_bit(begin: u32, i: u32) -> u32 {
    return (i - begin) / 16u;
}

// The element of a bit.
fn element_of_bit(begin: u32, bit: u32) -> u32 {
    return (begin + bit / 4u * 64u) * LANES + bit % 4u;
}
