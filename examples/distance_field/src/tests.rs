//! Meshes of every kind are read; the shader's distances are those of the CPU.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::bvh::Tree;
use crate::field::{Field, Preset, Wishes};
use crate::mesh::{HALF, Mesh, Vector, add, cross, dot, scaled, sub};
use std::path::PathBuf;
use wgrad::Gpu;

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wgrad_mesh_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

const CUBE: &str = "v 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nv 0 0 2\nv 2 0 2\nv 2 2 2\nv 0 2 2\n\
    f 4 3 2 1\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n";

#[test]
fn a_cube_is_read_from_obj_and_ply() {
    let mesh = Mesh::load(&written("cube.obj", CUBE.as_bytes())).unwrap();
    assert_eq!((mesh.positions.len(), mesh.triangles.len(), mesh.open_edges()), (8, 12, 0));
    assert!(mesh.positions.iter().flatten().all(|v| (v.abs() - 0.8).abs() < 1e-6));
    let mut text = "ply\nformat ascii 1.0\nelement vertex 8\nproperty float x\nproperty float y\n\
        property float z\nelement face 6\nproperty list uchar int vertex_indices\nend_header\n"
        .to_owned();
    for line in CUBE.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "v" {
            text += &format!("{}\n", words[1..].join(" "));
        } else {
            let indices = words[1..].iter().map(|w| (w.parse::<u32>().unwrap() - 1).to_string());
            text += &format!("4 {}\n", indices.collect::<Vec<_>>().join(" "));
        }
    }
    let same = Mesh::load(&written("cube.ply", text.as_bytes())).unwrap();
    let corners = |mesh: &Mesh| -> Vec<[Vector; 3]> {
        mesh.triangles.iter().map(|t| mesh.corners(*t)).collect()
    };
    assert_eq!(corners(&same), corners(&mesh));
}

#[test]
fn what_is_no_mesh_is_refused() {
    for (name, text, words) in [
        ("a.stl", "solid", "ends in .obj or .ply"),
        ("a.obj", "", "no points"),
        ("b.obj", "v 1 1 1\nv 1 1 1\n", "no points"),
        ("c.obj", "v 0 0 0\nv 1 0 0\nf 1 2 9\n", ""),
        ("d.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", ""),
        (
            "a.ply",
            "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n",
            "without x, y and z",
        ),
        ("b.ply", "no ply", ""),
    ] {
        let refused = Mesh::load(&written(name, text.as_bytes())).err().expect(name);
        let crate::common::Stop::Failed(message) = refused else { panic!("{name}") };
        assert!(message.contains(words) && message.contains(name), "{name}: {message}");
    }
}

#[test]
fn the_knot_is_closed() {
    let knot = Mesh::knot();
    assert_eq!((knot.triangles.len(), knot.open_edges()), (8000, 0));
    let tree = Tree::new(&knot);
    let mut order = tree.order.clone();
    order.sort_unstable();
    assert!(order.iter().enumerate().all(|(i, t)| i as u32 == *t));
}

/// The winding number of a closed mesh: 1 inside, 0 outside (Van Oosterom and Strackee, 1983).
fn winding(mesh: &Mesh, p: Vector) -> f32 {
    let each = mesh.triangles.iter().map(|t| {
        let [a, b, c] = mesh.corners(*t).map(|corner| sub(corner, p));
        let [la, lb, lc] = [a, b, c].map(|v| dot(v, v).sqrt());
        let below = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb;
        2.0 * dot(a, cross(b, c)).atan2(below)
    });
    each.sum::<f32>() / (2.0 * std::f32::consts::TAU)
}

/// The distance to a triangle by the smallest of many of its points, then of finer ones round that.
fn to_triangle(p: Vector, [a, b, c]: [Vector; 3]) -> f32 {
    let (mut middle, mut width, mut best) = ([1.0 / 3.0_f32; 2], 1.0_f32, f32::INFINITY);
    for _ in 0..14 {
        let around = middle;
        for i in -4..=4 {
            for j in -4..=4 {
                let u = (around[0] + width * i as f32 / 4.0).clamp(0.0, 1.0);
                let v = (around[1] + width * j as f32 / 4.0).clamp(0.0, 1.0 - u);
                let at = add(a, add(scaled(sub(b, a), u), scaled(sub(c, a), v)));
                let away = sub(p, at);
                let distance = dot(away, away).sqrt();
                if distance < best {
                    (best, middle) = (distance, [u, v]);
                }
            }
        }
        width *= 0.5;
    }
    best
}

#[test]
fn the_shaders_distances_are_the_cpus() {
    let mesh = Mesh::knot();
    let wishes =
        Wishes { preset: Preset::Siren, rows: 64, steps: 1, seed: 1, eikonal: 0.1, points: false };
    let field = Field::new(&Gpu::new().unwrap(), &mesh, wishes).unwrap();
    let (places, distances) = field.looked_at().unwrap();
    assert!(places.iter().flatten().all(|v| v.abs() <= HALF));
    for i in (0..places.len()).step_by(places.len() / 40) {
        let (p, d) = (places[i], distances[i]);
        let inside = winding(&mesh, p) > 0.5;
        assert_eq!(inside, d < 0.0, "{p:?}: {d}");
        let near = mesh.triangles.iter().filter(|t| {
            let away = sub(mesh.corners(**t)[0], p);
            dot(away, away).sqrt() <= d.abs() + 0.3
        });
        let expected = near.map(|t| to_triangle(p, mesh.corners(*t))).fold(f32::INFINITY, f32::min);
        assert!((d.abs() - expected).abs() <= 1e-4, "{p:?}: {d} for {expected}");
    }
}

/// A few steps make the field better, by distances and by points alone.
#[test]
fn a_few_steps_teach() {
    let gpu = Gpu::new().unwrap();
    for (points, preset) in
        [(false, Preset::Siren), (false, Preset::Hash), (true, Preset::Siren), (true, Preset::Hash)]
    {
        let wishes = Wishes { preset, rows: 1024, steps: 60, seed: 0, eikonal: 0.1, points };
        let mut field = Field::new(&gpu, &Mesh::knot(), wishes).unwrap();
        let before = field.report().unwrap();
        field.train(60).unwrap();
        let after = field.report().unwrap();
        assert!(after.distance[0] < before.distance[0], "{before:?} {after:?}");
        assert!(after.eikonal[0].is_finite());
    }
}
