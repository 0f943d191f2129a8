// From samples to pixels, and back. Sample i of a ray has the density s_i and the colour c_i. Over a
// step of length h it hides the share a_i = 1 - exp(-s_i h) of what lies behind it. The light
// T_i = Π_{j<i} (1 - a_j) gets to it, so that the pixel is
//
//     C = Σ w_i c_i + T B    with w_i = T_i a_i, T what all samples let through, B the background.
//
// Its derivatives are dC/dc_i = w_i and dC/ds_i = h (T_{i+1} c_i - R_i), where
// R_i = Σ_{j>i} w_j c_j + T B is the light from behind the sample (Max, "Optical Models for Direct
// Volume Rendering", 1995).

@group(0) @binding(0) var<storage, read> counts: Counts;
@group(0) @binding(1) var<storage, read> spans: array<Span>;
// [samples, FEATURES]: the outputs of the density network; the first is the density before `density_of`.
@group(0) @binding(2) var<storage, read> features: array<f32>;
// [samples, 3]: the outputs of the colour network.
@group(0) @binding(3) var<storage, read> colours: array<f32>;
// Training. [rays]: the photographs' colours, and in w the mean squared difference of each ray.
@group(0) @binding(4) var<storage, read_write> colours_seen: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> colours_gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> features_gradient: array<f32>;
// Drawing.
@group(0) @binding(7) var<storage, read> rays: array<Ray>;
@group(0) @binding(8) var<storage, read> positions: array<f32>;
// [rays]: the pixels, and in w the mean distance of what is seen; 0 for the background.
@group(0) @binding(9) var<storage, read_write> pixels: array<vec4<f32>>;

fn colour_of(row: u32) -> vec3<f32> {
    return vec3<f32>(colours[3u * row], colours[3u * row + 1u], colours[3u * row + 2u]);
}

// The share of light that passes a sample.
fn passes(row: u32) -> f32 {
    return exp(-STEP * density_of(features[FEATURES * row]));
}

fn composited(span: Span) -> vec3<f32> {
    var colour = vec3<f32>(0.0);
    var light = 1.0;
    for (var i = 0u; i < min(span.count, MAX_STEPS); i++) {
        let passing = passes(span.first + i);
        colour += light * (1.0 - passing) * colour_of(span.first + i);
        light *= passing;
    }
    return colour + light * BACKGROUND;
}

// The loss is the mean over all channels of the rays that found room of (C - seen)².
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&spans)) { return; }
    let span = spans[id.x];
    if (span.first == NO_ROOM) {
        colours_seen[id.x].w = 0.0;
        return;
    }
    let colour = composited(span);
    let difference = colour - colours_seen[id.x].xyz;
    colours_seen[id.x].w = dot(difference, difference) / 3.0;
    let pixel_gradient = 2.0 * difference / (3.0 * f32(counts.rays));

    var light = 1.0;
    var behind = colour;
    for (var i = 0u; i < min(span.count, MAX_STEPS); i++) {
        let row = span.first + i;
        let raw = features[FEATURES * row];
        let passing = passes(row);
        let weight = light * (1.0 - passing);
        light *= passing;
        behind -= weight * colour_of(row);
        for (var c = 0u; c < 3u; c++) {
            colours_gradient[3u * row + c] = weight * pixel_gradient[c];
        }
        let by_density = STEP * dot(pixel_gradient, light * colour_of(row) - behind);
        features_gradient[FEATURES * row] = by_density * density_derivative(raw);
    }
}

@compute @workgroup_size(64)
fn draw(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&spans)) { return; }
    let span = spans[id.x];
    var depth = 0.0;
    var light = 1.0;
    for (var i = 0u; i < min(span.count, MAX_STEPS); i++) {
        let row = span.first + i;
        let p = vec3<f32>(positions[3u * row], positions[3u * row + 1u], positions[3u * row + 2u]);
        let passing = passes(row);
        depth += light * (1.0 - passing) * distance(p, rays[id.x].origin);
        light *= passing;
    }
    // Where most of the light passes there is nothing to measure the distance of.
    let seen = select(0.0, depth / max(1.0 - light, 1e-6), light < 0.5);
    pixels[id.x] = vec4<f32>(composited(span), seen);
}
