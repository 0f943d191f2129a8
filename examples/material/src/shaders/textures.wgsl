// The material from textures, as a sampler blends texels and mip levels.

@group(1) @binding(0) var colours: texture_2d<f32>;
@group(1) @binding(1) var surfaces: texture_2d<f32>;
@group(1) @binding(2) var heights: texture_2d<f32>;
@group(1) @binding(3) var blend: sampler;

fn material(uv: vec2<f32>, lod: f32) -> array<f32, 9> {
    let c = textureSampleLevel(colours, blend, uv, lod);
    let s = textureSampleLevel(surfaces, blend, uv, lod);
    let h = textureSampleLevel(heights, blend, uv, lod);
    return array<f32, 9>(c.r, c.g, c.b, s.r, s.g, c.a, s.b, s.a, h.r);
}
