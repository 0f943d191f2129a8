// Draws samples of the picture: the twin of `place` and `Source::sample`. The program writes the
// constants in front: BATCH, SEED, SIZE, TILE, COLUMNS, CHANNELS, STRAIGHT.

// A picture larger than a texture lies in the layers of one, tile by tile.
@group(0) @binding(0) var picture: texture_2d_array<f32>;
@group(0) @binding(1) var<storage, read> status: array<u32>;
@group(0) @binding(2) var<storage, read_write> places: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> lights: array<f32>;

// `lowbias32` by Wellons.
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn texel(p: vec2<i32>) -> vec4<f32> {
    let tile = p / TILE;
    // A texture of sRGB values: what a load gives is linear.
    let light = textureLoad(picture, p - tile * TILE, tile.y * COLUMNS + tile.x, 0);
    return vec4<f32>(light.rgb * select(1.0, light.a, STRAIGHT), light.a);
}

@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= BATCH) {
        return;
    }
    // The trainer's own step counter: no two steps draw the same places.
    let a = mix_bits(id.x ^ mix_bits(status[0] ^ SEED));
    let b = mix_bits(a + 0x9e3779b9u);
    let place = vec2<f32>(vec2<u32>(a, b) >> vec2<u32>(8u)) / 16777216.0;
    let at = place * vec2<f32>(SIZE) - 0.5;
    let low = vec2<i32>(floor(at));
    let share = at - floor(at);
    let p = clamp(low, vec2<i32>(), SIZE - 1);
    let q = clamp(low + 1, vec2<i32>(), SIZE - 1);
    let above = mix(texel(p), texel(vec2<i32>(q.x, p.y)), share.x);
    let below = mix(texel(vec2<i32>(p.x, q.y)), texel(q), share.x);
    let light = mix(above, below, share.y);
    places[id.x] = place;
    for (var c = 0u; c < CHANNELS; c++) {
        // Where the channels are even in number, the last is alpha.
        let is_alpha = c + 1u == CHANNELS && CHANNELS % 2u == 0u;
        lights[CHANNELS * id.x + c] = select(light[c], light.a, is_alpha);
    }
}
