// The row at `position` of an epoch: a Feistel network over 2 · half bits, applied until it lands
// below `rows` (Black and Rogaway, 2002). Twin: src/training/batch.rs.
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn epoch_key(seed: u32, epoch: u32) -> u32 {
    return mix_bits(seed ^ mix_bits(epoch ^ 0x9e3779b9u));
}

fn shuffled(position: u32, rows: u32, half: u32, key: u32) -> u32 {
    let mask = (1u << half) - 1u;
    var x = position;
    loop {
        // Four rounds without a loop: an iteration is one try.
        let left = x >> half;
        let right = x & mask;
        let first = left ^ (mix_bits(right ^ key) & mask);
        let second = right ^ (mix_bits(first ^ (key + 0x9e3779b9u)) & mask);
        let third = first ^ (mix_bits(second ^ (key + 0x3c6ef372u)) & mask);
        let fourth = second ^ (mix_bits(third ^ (key + 0xdaa66d2bu)) & mask);
        x = (third << half) | fourth;
        if (x < rows) {
            break;
        }
    }
    return x;
}

// The row of element `item` of a mini-batch, sampled from the cursor's epoch and position on. Where
// `half` is 0, the rows stay in order.
fn sampled_row(item: u32, cursor: vec2<u32>, rows: u32, half: u32, seed: u32) -> u32 {
    var epoch = cursor.x;
    var position = item;
    let left = rows - cursor.y;
    if (item < left) {
        position += cursor.y;
    } else {
        position -= left;
        epoch += 1u;
    }
    if (half == 0u) {
        return position;
    }
    return shuffled(position, rows, half, epoch_key(seed, epoch));
}
