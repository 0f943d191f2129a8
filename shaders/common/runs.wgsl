// An invocation handles several `Lanes` values, 64 apart. Needs LANES of scalar.wgsl or vec4.wgsl.

// The number of `Lanes` values of an invocation. It is at most 8, so that each element has a bit.
// On a CPU the overhead of an invocation costs as much as one value.
override RUNS: u32 = 1u;

// The index after the last value of the invocation whose first is `begin`.
fn end_of_run(begin: u32, elements: u32) -> u32 {
    return min(begin + RUNS * 64u, (elements + LANES - 1u) / LANES);
}

// The first bit of value `i`.
fn first_bit(begin: u32, i: u32) -> u32 {
    return (i - begin) / 16u;
}

// The index of the element of a bit.
fn element_of_bit(begin: u32, bit: u32) -> u32 {
    return (begin + bit / 4u * 64u) * LANES + bit % 4u;
}
