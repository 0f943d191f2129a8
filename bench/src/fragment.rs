//! Networks evaluated at every pixel of a picture, in a fragment shader.

use wgrad::{Activation, Mlp};

/// The picture's size in pixels.
pub const SIZE: [u32; 2] = [1280, 720];

/// The vertex entry point: one triangle over the whole picture.
pub const VERTEX: &str = "corner";

/// The fragment entry point.
pub const FRAGMENT: &str = "pixel";

/// The networks by name: the article's, and two hidden layers of 16, 32 and 64 units.
pub fn networks() -> [(&'static str, Mlp); 4] {
    let two = |width| {
        let hidden = Mlp::new(2).layer(width, Activation::Relu).layer(width, Activation::Relu);
        hidden.layer(1, Activation::Identity)
    };
    let article = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    [("2-3-1", article), ("16-16", two(16)), ("32-32", two(32)), ("64-64", two(64))]
}

/// A shader that draws the first output of the function `net` of two inputs, which `text` defines.
pub fn shader(text: &str) -> String {
    let [width, height] = SIZE;
    format!(
        "{text}
        @vertex fn {VERTEX}(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{
            return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
        }}
        @fragment fn {FRAGMENT}(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{
            return vec4<f32>(net(array<f32, 2>(p.x / {width}.0, p.y / {height}.0))[0]);
        }}"
    )
}
