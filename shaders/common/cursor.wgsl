// Epoch and position after a batch. The code avoids the sum of position and batch, which may
// overflow.
fn next_cursor(cursor: vec2<u32>, rows: u32, batch: u32) -> vec2<u32> {
    let left = rows - cursor.y;
    if (batch < left) {
        return vec2<u32>(cursor.x, cursor.y + batch);
    }
    return vec2<u32>(cursor.x + 1u, batch - left);
}
