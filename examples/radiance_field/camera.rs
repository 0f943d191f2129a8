//! Cameras, and where they stand round the scene.

use std::f32::consts::TAU;

/// The box that holds the scene, y upwards.
pub const LOWER: [f32; 3] = [-1.1, -0.3, -1.1];
/// Its other corner.
pub const UPPER: [f32; 3] = [1.1, 1.2, 1.1];

/// What all cameras look at.
const MIDDLE: [f32; 3] = [0.0, 0.24, 0.0];
/// How far from it they stand.
const DISTANCE: f32 = 3.6;

/// A camera of square pictures.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    position: [f32; 3],
    right: [f32; 3],
    up: [f32; 3],
    forward: [f32; 3],
}

/// The distance of a screen of half-width 1.
const FOCAL: f32 = 2.9;

impl Camera {
    /// A camera at an angle round the scene and one above the horizon, in radians.
    pub fn round(turn: f32, rise: f32) -> Self {
        let away = [turn.cos() * rise.cos(), rise.sin(), turn.sin() * rise.cos()];
        let forward = away.map(|v| -v);
        let right = [turn.sin(), 0.0, -turn.cos()];
        Self {
            position: std::array::from_fn(|d| MIDDLE[d] + DISTANCE * away[d]),
            right,
            up: cross(right, forward),
            forward,
        }
    }

    /// `struct Camera` of `common.wgsl`.
    pub fn words(&self) -> [f32; 16] {
        let [p, r, u, f] = [self.position, self.right, self.up, self.forward];
        [
            p[0], p[1], p[2], FOCAL, r[0], r[1], r[2], 0.0, u[0], u[1], u[2], 0.0, f[0], f[1],
            f[2], 0.0,
        ]
    }
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `count` cameras on the upper half of a sphere, spread as evenly as a spiral by the golden angle does it.
pub fn spiral(count: usize) -> Vec<Camera> {
    let golden = TAU * 0.381_966;
    let camera = |i: usize| {
        let height = 0.1 + 0.8 * (i as f32 + 0.5) / count as f32;
        Camera::round(golden * i as f32, height.asin())
    };
    (0..count).map(camera).collect()
}

/// The camera of the film at a share of its time: round and round, up and down.
pub fn flight(share: f32) -> Camera {
    Camera::round(1.2 + 2.0 * TAU * share, 0.42 - 0.2 * (TAU * share).cos())
}
