// Draws the picture by the network's own function, which stands in front.

struct View {
    middle: vec2<f32>,
    size: vec2<f32>,
    zoom: f32,
}

@group(1) @binding(0) var<uniform> view: View;

@vertex
fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {
    return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

// A value that a screen shows as this light (IEC 61966-2-1).
fn shown(light: f32) -> f32 {
    let l = clamp(light, 0.0, 1.0);
    return select(1.055 * pow(max(l, 0.0031308), 1.0 / 2.4) - 0.055, 12.92 * l, l <= 0.0031308);
}

@fragment
fn pixel(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {
    let place = clamp(view.middle + (p.xy / view.size - 0.5) / view.zoom, vec2<f32>(), vec2<f32>(1.0));
    let light = network(array<f32, 2>(place.x, place.y));
    return vec4<f32>(shown(light[0]), shown(light[1]), shown(light[2]), 1.0);
}
