//! Triangle meshes: from files, of the program's own, and as the shaders read them.

use crate::common::{Outcome, Stop};
use ply_rs_bw::ply::DefaultElement;
use std::collections::HashMap;
use std::f32::consts::TAU;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

pub type Vector = [f32; 3];

/// Half the side of the box of the field. A mesh fills four fifths of it.
pub const HALF: f32 = 1.0;
const FILLED: f32 = 0.8;

pub struct Mesh {
    pub positions: Vec<Vector>,
    pub triangles: Vec<[u32; 3]>,
    /// A normal of each position, where the file has them.
    pub normals: Vec<Vector>,
}

pub fn sub(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|d| a[d] - b[d])
}

pub fn add(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|d| a[d] + b[d])
}

pub fn scaled(a: Vector, s: f32) -> Vector {
    a.map(|v| v * s)
}

pub fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Of length 1; 0 stays 0.
pub fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt();
    if length > 0.0 { scaled(a, 1.0 / length) } else { a }
}

impl Mesh {
    /// A tube round a knot, 8,000 triangles: a trefoil whose tube is thick here and thin there.
    pub fn knot() -> Self {
        let (around, along) = (20_u32, 200_u32);
        let centre = |t: f32| {
            let r = 2.0 + (3.0 * t).cos();
            [r * (2.0 * t).cos(), r * (2.0 * t).sin(), 1.3 * (3.0 * t).sin()]
        };
        let (mut positions, mut triangles) = (Vec::new(), Vec::new());
        for i in 0..along {
            let t = TAU * i as f32 / along as f32;
            let h = 1e-3;
            let forward = unit(sub(centre(t + h), centre(t - h)));
            // Of all directions across, the one that is the most upright: it closes after a turn.
            let side = unit(cross(forward, sub(centre(t), [0.0; 3])));
            let up = cross(side, forward);
            let radius = 0.52 + 0.16 * (6.0 * t).sin();
            for j in 0..around {
                let (sin, cos) = (TAU * j as f32 / around as f32).sin_cos();
                let out = add(scaled(side, cos), scaled(up, sin));
                positions.push(add(centre(t), scaled(out, radius)));
                let at = |i: u32, j: u32| i % along * around + j % around;
                let quad = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
                triangles.push([quad[0], quad[1], quad[2]]);
                triangles.push([quad[0], quad[2], quad[3]]);
            }
        }
        let mut mesh = Self { positions, triangles, normals: Vec::new() };
        if mesh.volume() < 0.0 {
            mesh.triangles.iter_mut().for_each(|t| t.swap(1, 2));
        }
        mesh.fitted()
    }

    /// Reads an OBJ or PLY file and fits it into the box.
    pub fn load(path: &Path) -> Outcome<Self> {
        let failed =
            |why: &dyn std::fmt::Display| Stop::Failed(format!("{}: {why}", path.display()));
        let kind = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let mesh = match kind.as_deref() {
            Some("obj") => obj(path),
            Some("ply") => ply(path),
            _ => Err("a mesh is read from a file that ends in .obj or .ply".to_owned()),
        };
        let mesh = mesh.map_err(|why| failed(&why))?.welded();
        if mesh.positions.is_empty() {
            return Err(failed(&"no points"));
        }
        let count = mesh.positions.len();
        if mesh.triangles.iter().flatten().any(|i| *i as usize >= count) {
            return Err(failed(&"a triangle names a point that there is not"));
        }
        if !mesh.positions.iter().flatten().all(|v| v.is_finite()) {
            return Err(failed(&"a coordinate is not finite"));
        }
        let mesh = mesh.fitted();
        if !mesh.positions.iter().flatten().all(|v| v.is_finite()) {
            return Err(failed(&"all points are one"));
        }
        Ok(mesh)
    }

    /// One position for those that are equal, and no triangle without an area. Points with normals, of
    /// which there may be several at a place, are left.
    fn welded(mut self) -> Self {
        let mut index = HashMap::new();
        let mut kept = Vec::new();
        let mut normals = Vec::new();
        let new: Vec<u32> = self
            .positions
            .iter()
            .enumerate()
            .map(|(i, p)| {
                *index.entry(p.map(|v| (v + 0.0).to_bits())).or_insert_with(|| {
                    kept.push(*p);
                    normals.extend(self.normals.get(i));
                    kept.len() as u32 - 1
                })
            })
            .collect();
        self.positions = kept;
        self.normals = normals;
        for triangle in &mut self.triangles {
            *triangle = triangle.map(|i| new.get(i as usize).copied().unwrap_or(u32::MAX));
        }
        self.triangles.retain(|[a, b, c]| a != b && b != c && c != a);
        self
    }

    /// In the middle of the box, of which its longest side fills four fifths.
    fn fitted(mut self) -> Self {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for p in &self.positions {
            for d in 0..3 {
                low[d] = low[d].min(p[d]);
                high[d] = high[d].max(p[d]);
            }
        }
        let middle = scaled(add(low, high), 0.5);
        let longest = sub(high, low).into_iter().fold(0.0, f32::max);
        let scale = 2.0 * HALF * FILLED / longest;
        for p in &mut self.positions {
            *p = scaled(sub(*p, middle), scale);
        }
        self.normals.iter_mut().for_each(|n| *n = unit(*n));
        self
    }

    pub fn corners(&self, triangle: [u32; 3]) -> [Vector; 3] {
        triangle.map(|i| self.positions[i as usize])
    }

    /// Above 0 where the triangles' normals look outwards.
    fn volume(&self) -> f32 {
        let each = self.triangles.iter().map(|t| {
            let [a, b, c] = self.corners(*t);
            dot(a, cross(b, c)) / 6.0
        });
        each.sum()
    }

    /// Twice the area of a triangle times its normal.
    pub fn area_vector(&self, triangle: [u32; 3]) -> Vector {
        let [a, b, c] = self.corners(triangle);
        cross(sub(b, a), sub(c, a))
    }

    /// The number of edges that do not have two triangles that run along them in opposite directions.
    pub fn open_edges(&self) -> usize {
        let mut edges: HashMap<(u32, u32), [u32; 2]> = HashMap::new();
        for [a, b, c] in &self.triangles {
            for (from, to) in [(*a, *b), (*b, *c), (*c, *a)] {
                edges.entry((from.min(to), from.max(to))).or_default()[usize::from(from > to)] += 1;
            }
        }
        edges.values().filter(|uses| **uses != [1, 1]).count()
    }

    /// For each triangle its corners and the normals of its face, edges and corners, as the shader reads
    /// them. A normal of an edge is that of both faces, one of a corner weighs its faces by their
    /// angles: Bærentzen and Aanæs, "Signed Distance Computation Using the Angle Weighted Pseudonormal",
    /// 2005.
    pub fn for_shaders(&self, order: &[u32]) -> Vec<f32> {
        let faces: Vec<Vector> =
            self.triangles.iter().map(|t| unit(self.area_vector(*t))).collect();
        let mut of_corners = vec![[0.0; 3]; self.positions.len()];
        let mut of_edges: HashMap<(u32, u32), Vector> = HashMap::new();
        let edge = |a: u32, b: u32| (a.min(b), a.max(b));
        for (triangle, face) in self.triangles.iter().zip(&faces) {
            let corners = self.corners(*triangle);
            for i in 0..3 {
                let [a, b] = [1, 2].map(|k| unit(sub(corners[(i + k) % 3], corners[i])));
                let angle = dot(a, b).clamp(-1.0, 1.0).acos();
                let sum = &mut of_corners[triangle[i] as usize];
                *sum = add(*sum, scaled(*face, angle));
                let sum = of_edges.entry(edge(triangle[i], triangle[(i + 1) % 3])).or_default();
                *sum = add(*sum, *face);
            }
        }
        let mut words = Vec::new();
        for index in order {
            let triangle = self.triangles[*index as usize];
            let mut vectors = self.corners(triangle).to_vec();
            vectors.push(faces[*index as usize]);
            for i in 0..3 {
                let sum = of_edges.get(&edge(triangle[i], triangle[(i + 1) % 3]));
                vectors.push(unit(sum.copied().unwrap_or_default()));
            }
            vectors.extend(triangle.map(|i| unit(of_corners[i as usize])));
            words.extend(vectors.iter().flat_map(|[x, y, z]| [*x, *y, *z, 0.0]));
        }
        words
    }

    /// The positions with their normals: those of the file, or else of the triangles.
    pub fn oriented_points(&self) -> Vec<[Vector; 2]> {
        let mut normals = self.normals.clone();
        if normals.len() != self.positions.len() {
            normals = vec![[0.0; 3]; self.positions.len()];
            for triangle in &self.triangles {
                let normal = self.area_vector(*triangle);
                for i in triangle {
                    normals[*i as usize] = add(normals[*i as usize], normal);
                }
            }
        }
        let pairs = self.positions.iter().zip(normals).map(|(p, n)| [*p, unit(n)]);
        pairs.filter(|[_, n]| *n != [0.0; 3]).collect()
    }

    /// Writes an OBJ file.
    pub fn save(&self, path: &Path) -> Outcome {
        let mut file = std::io::BufWriter::new(File::create(path)?);
        writeln!(file, "# {} triangles", self.triangles.len())?;
        for [x, y, z] in &self.positions {
            writeln!(file, "v {x:.6} {y:.6} {z:.6}")?;
        }
        for triangle in &self.triangles {
            let [a, b, c] = triangle.map(|i| i + 1);
            writeln!(file, "f {a} {b} {c}")?;
        }
        Ok(file.flush()?)
    }

    /// The surface on which values `[side, side, side]` over the box, x the fastest, are 0.
    pub fn of_zeros(values: Vec<f32>, side: usize) -> Outcome<Self> {
        let sides = (side, side, side);
        let size = side as f32;
        let ones = (size, size, size);
        let cubes = mcubes::MarchingCubes::new(sides, ones, ones, Default::default(), values, 0.0)?;
        let made = cubes.generate(mcubes::MeshSide::OutsideOnly);
        // Neighbours compute a point that they share from either end.
        let step = 2.0 * HALF / (size - 1.0);
        let rounded = |v: f32| (v * 4096.0).round() / 4096.0 * step - HALF;
        let positions: Vec<Vector> =
            made.vertices.iter().map(|v| [v.posit.x, v.posit.y, v.posit.z].map(rounded)).collect();
        let triangles = made.indices.chunks_exact(3).map(|t| [0, 1, 2].map(|i| t[i] as u32));
        let triangles = triangles.collect();
        let mut mesh = Self { positions, triangles, normals: Vec::new() }.welded();
        if mesh.volume() < 0.0 {
            mesh.triangles.iter_mut().for_each(|t| t.swap(1, 2));
        }
        Ok(mesh)
    }
}

fn threes(values: &[f32]) -> Vec<Vector> {
    values.chunks_exact(3).map(|v| [v[0], v[1], v[2]]).collect()
}

/// A polygon as a fan of triangles.
fn fan(polygon: &[u32]) -> impl Iterator<Item = [u32; 3]> + '_ {
    polygon.windows(2).skip(1).map(|pair| [polygon[0], pair[0], pair[1]])
}

fn obj(path: &Path) -> Result<Mesh, String> {
    let options = tobj::LoadOptions { triangulate: true, single_index: true, ..Default::default() };
    let (models, _) = tobj::load_obj(path, &options).map_err(|error| error.to_string())?;
    let mut mesh = Mesh { positions: Vec::new(), triangles: Vec::new(), normals: Vec::new() };
    for tobj::Model { mesh: part, .. } in models {
        let first = mesh.positions.len() as u32;
        mesh.positions.extend(threes(&part.positions));
        mesh.normals.extend(threes(&part.normals));
        mesh.triangles
            .extend(part.indices.chunks_exact(3).map(|t| [t[0], t[1], t[2]].map(|i| first + i)));
    }
    if mesh.normals.len() != mesh.positions.len() {
        mesh.normals.clear();
    }
    Ok(mesh)
}

fn ply(path: &Path) -> Result<Mesh, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let parser = ply_rs_bw::parser::Parser::<DefaultElement>::new();
    let ply = parser.read_ply(&mut BufReader::new(file)).map_err(|error| error.to_string())?;
    let elements = |name: &str| {
        let found = ply.payload.iter().find(|(key, _)| key.as_ref() as &str == name);
        found.map(|(_, elements)| &elements[..]).unwrap_or_default()
    };
    let number = |element: &DefaultElement, name: &str| {
        let property = element.iter().find(|(key, _)| key.as_ref() as &str == name);
        property.and_then(|(_, property)| property.to_f32_lossy())
    };
    let vector = |element: &DefaultElement, names: [&str; 3]| {
        let [x, y, z] = names.map(|name| number(element, name));
        Some([x?, y?, z?])
    };
    let vertices = elements("vertex");
    let positions: Option<Vec<Vector>> =
        vertices.iter().map(|vertex| vector(vertex, ["x", "y", "z"])).collect();
    let positions = positions.ok_or("a vertex without x, y and z")?;
    let normals: Option<Vec<Vector>> =
        vertices.iter().map(|vertex| vector(vertex, ["nx", "ny", "nz"])).collect();
    let mut triangles = Vec::new();
    for face in elements("face") {
        let names = ["vertex_indices", "vertex_index"];
        let list = face.iter().find(|(key, _)| names.contains(&(key.as_ref() as &str)));
        let polygon = list.and_then(|(_, list)| list.to_u32_list());
        let polygon = polygon.ok_or("a face without vertex_indices")?;
        triangles.extend(fan(&polygon));
    }
    Ok(Mesh { positions, triangles, normals: normals.unwrap_or_default() })
}
