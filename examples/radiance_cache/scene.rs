//! What the path tracer sees: the structures of tracer.wgsl, and the hall.

use bytemuck::{Pod, Zeroable};

type Vector = [f32; 3];

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub struct Material {
    pub diffuse: Vector,
    pub roughness: f32,
    pub specular: Vector,
    /// The side of a chessboard's fields; 0 for none.
    pub field: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub struct Block {
    pub low: Vector,
    pub material: u32,
    pub high: Vector,
    unused: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub struct Light {
    pub corner: Vector,
    pub material: u32,
    pub u: Vector,
    area: f32,
    pub v: Vector,
    unused: u32,
    pub emission: Vector,
    unused_too: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub struct Cluster {
    bound: [f32; 4],
    first: u32,
    end: u32,
    material: u32,
    unused: u32,
}

/// The uniform buffer of the path tracer. Lengths in metres; y points up.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Scene {
    pub eye: Vector,
    pub width: u32,
    right: Vector,
    pub height: u32,
    up: Vector,
    blocks: u32,
    forward: Vector,
    lights: u32,
    pub sky: Vector,
    clusters: u32,
    materials: [Material; 16],
    block: [Block; 32],
    light: [Light; 8],
    cluster: [Cluster; 16],
    sphere: [[f32; 4]; 128],
}

fn map(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    std::array::from_fn(|i| f(a[i], b[i]))
}

fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3])
}

fn scaled(a: Vector, by: f32) -> Vector {
    a.map(|v| v * by)
}

fn unit(a: Vector) -> Vector {
    scaled(a, 1.0 / dot(a, a).sqrt())
}

fn along(from: Vector, direction: Vector, far: f32) -> Vector {
    map(from, direction, |a, b| a + far * b)
}

impl Scene {
    /// Nothing, seen by a camera at `eye` that looks at `at`; `slope` is the tangent of half of its
    /// vertical angle.
    pub fn empty([width, height]: [u32; 2], eye: Vector, at: Vector, slope: f32) -> Self {
        let forward = unit(map(at, eye, |a, b| a - b));
        let right = unit(cross(forward, [0.0, 1.0, 0.0]));
        let up = cross(right, forward);
        let (right, up) = (scaled(right, slope), scaled(up, slope));
        Self { eye, width, right, height, up, forward, ..Self::zeroed() }
    }

    pub const fn pixels(&self) -> u32 {
        self.width * self.height
    }

    pub fn material(&mut self, index: u32, material: Material) {
        self.materials[index as usize] = material;
    }

    pub fn block(&mut self, material: u32, low: Vector, high: Vector) {
        self.block[self.blocks as usize] = Block { low, material, high, unused: 0 };
        self.blocks += 1;
    }

    /// A rectangle from a corner along `u` and `v`; it shines on the side of u × v.
    pub fn light(&mut self, material: u32, [corner, u, v]: [Vector; 3], emission: Vector) {
        let normal = cross(u, v);
        let area = dot(normal, normal).sqrt();
        self.light[self.lights as usize] =
            Light { corner, material, u, area, v, unused: 0, emission, unused_too: 0 };
        self.lights += 1;
    }

    /// Spheres `[x, y, z, radius]` that `bound` encloses.
    pub fn spheres(&mut self, material: u32, bound: [f32; 4], spheres: &[[f32; 4]]) {
        let first = self.cluster[..self.clusters as usize].last().map_or(0, |cluster| cluster.end);
        let end = first + spheres.len() as u32;
        self.sphere[first as usize..end as usize].copy_from_slice(spheres);
        self.cluster[self.clusters as usize] = Cluster { bound, first, end, material, unused: 0 };
        self.clusters += 1;
    }

    pub fn ball(&mut self, material: u32, sphere: [f32; 4]) {
        self.spheres(material, sphere, &[sphere]);
    }

    /// A sphere that carries spheres of a third of its size, which carry such spheres: Haines, "A
    /// Proposal for Standard Graphics Environments", 1987.
    pub fn flake(&mut self, material: u32, sphere: [f32; 4]) {
        let [x, y, z, radius] = sphere;
        self.ball(material, sphere);
        for axis in around([0.0, 1.0, 0.0]) {
            let child = along([x, y, z], axis, radius * 4.0 / 3.0);
            let third = radius / 3.0;
            let mut group = vec![[child[0], child[1], child[2], third]];
            for axis in around(axis) {
                let leaf = along(child, axis, third * 4.0 / 3.0);
                group.push([leaf[0], leaf[1], leaf[2], third / 3.0]);
            }
            // 1 + 2/3 of the child's radius.
            self.spheres(material, [child[0], child[1], child[2], third * 5.0 / 3.0], &group);
        }
    }
}

/// Nine directions about an axis: six across it, three towards it.
fn around(axis: Vector) -> impl Iterator<Item = Vector> {
    let aside = if axis[0].abs() < 0.9 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
    let first = unit(cross(axis, aside));
    let second = cross(axis, first);
    let ring = move |count: u32, height: f32, turn: f32| {
        (0..count).map(move |i| {
            let angle = std::f32::consts::TAU * (i as f32 + turn) / count as f32;
            let level = map(first, second, |a, b| angle.cos() * a + angle.sin() * b);
            unit(along(level, axis, height))
        })
    };
    ring(6, 0.0, 0.0).chain(ring(3, 1.4, 0.5))
}

/// The lowest and the highest corner of the hall and the passage beside it.
pub const BOUNDS: [Vector; 2] = [[-4.2, -0.1, -3.2], [2.7, 3.2, 3.2]];

/// A hall that gets its light round corners: a warm one through three gaps to a passage on the
/// left, and a cold one that a ledge at the back throws at the ceiling. No lamp is seen from most of
/// the hall.
pub fn hall(size: [u32; 2]) -> Scene {
    let mut scene = Scene::empty(size, [1.5, 1.4, 2.8], [-0.3, 1.0, -1.2], 0.56);
    let matt = |r, g, b| Material { diffuse: [r, g, b], roughness: 1.0, ..Material::default() };
    let metal =
        |r, g, b, roughness| Material { specular: [r, g, b], roughness, ..Material::default() };
    let glaze = |r, g, b, roughness| Material { specular: [0.04; 3], roughness, ..matt(r, g, b) };
    let [white, floor, clay, teal, gold, steel, glazed, dark] = [0, 1, 2, 3, 4, 5, 6, 7];
    scene.material(white, matt(0.8, 0.79, 0.76));
    scene.material(floor, Material { field: 0.5, ..glaze(0.62, 0.55, 0.48, 0.35) });
    scene.material(clay, matt(0.74, 0.32, 0.2));
    scene.material(teal, matt(0.16, 0.5, 0.52));
    scene.material(gold, metal(1.0, 0.76, 0.33, 0.4));
    scene.material(steel, metal(0.78, 0.78, 0.8, 0.3));
    scene.material(glazed, glaze(0.75, 0.1, 0.08, 0.3));
    scene.material(dark, matt(0.2, 0.2, 0.22));

    scene.block(floor, [-4.2, -0.2, -3.2], [2.7, 0.0, 3.2]);
    scene.block(white, [-4.2, 3.0, -3.2], [2.7, 3.2, 3.2]);
    scene.block(clay, [-4.2, 0.0, -3.2], [2.7, 3.0, -3.0]);
    scene.block(white, [-4.2, 0.0, 3.0], [2.7, 3.0, 3.2]);
    scene.block(teal, [2.5, 0.0, -3.0], [2.7, 3.0, 3.0]);
    scene.block(white, [-4.2, 0.0, -3.0], [-4.0, 3.0, 3.0]);
    // The wall to the passage, with three gaps.
    for [start, end] in [[-3.0, -2.4], [-1.6, -0.9], [-0.1, 0.6], [1.4, 3.0]] {
        scene.block(white, [-2.7, 0.0, start], [-2.5, 3.0, end]);
    }
    scene.block(white, [-2.7, 2.3, -2.4], [-2.5, 3.0, 1.4]);
    // The ledge, its edge, and the lamp between them.
    scene.block(white, [-2.5, 2.3, -3.0], [2.5, 2.36, -2.6]);
    scene.block(white, [-2.5, 2.36, -2.64], [2.5, 2.5, -2.6]);
    scene.light(dark, [[-2.2, 2.38, -2.7], [4.4, 0.0, 0.0], [0.0, 0.0, -0.2]], [8.0, 12.0, 18.0]);
    // The passage's lamp.
    let [corner, u, v] = [[-3.6, 2.95, -2.4], [0.35, 0.0, 0.0], [0.0, 0.0, 4.4]];
    scene.light(dark, [corner, u, v], [15.0, 9.5, 4.5]);
    scene.block(white, [0.0, 0.0, -1.5], [0.8, 0.45, -0.7]);
    scene.flake(gold, [0.4, 0.95, -1.1, 0.36]);
    scene.ball(glazed, [-1.25, 0.32, 0.35, 0.32]);
    scene.ball(steel, [1.75, 0.45, -0.1, 0.45]);
    scene.ball(white, [-0.55, 0.2, 0.75, 0.2]);
    scene.block(dark, [-1.9, 0.0, -2.4], [-1.3, 1.1, -1.8]);
    scene.ball(white, [-1.6, 1.4, -2.1, 0.3]);
    scene
}
