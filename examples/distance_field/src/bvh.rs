//! A tree of boxes round the triangles, for the shader that looks for the nearest one.

use crate::mesh::{Mesh, Vector, add, scaled};

/// Triangles of a leaf, at most.
const LEAF: usize = 4;

/// What an inner node has in the place of a number of triangles.
const INNER: u32 = u32::MAX;

/// Nodes as the shader reads them, and the triangles in the order of the leaves.
pub struct Tree {
    /// Eight words a node: the lower corner, the first child or triangle, the upper corner, and the number
    /// of triangles, or [`INNER`] where there are two children side by side.
    pub words: Vec<u32>,
    pub order: Vec<u32>,
}

struct Box {
    low: Vector,
    high: Vector,
}

impl Tree {
    /// Halves the triangles by their middles, along the longest side, until few are left.
    pub fn new(mesh: &Mesh) -> Self {
        let middles: Vec<Vector> = mesh
            .triangles
            .iter()
            .map(|t| {
                let [a, b, c] = mesh.corners(*t);
                scaled(add(a, add(b, c)), 1.0 / 3.0)
            })
            .collect();
        let mut order: Vec<u32> = (0..mesh.triangles.len() as u32).collect();
        let mut words = vec![0; 8];
        let mut open = vec![(0_usize, 0_usize, order.len())];
        while let Some((node, first, end)) = open.pop() {
            let own = &mut order[first..end];
            let bounds = bounds(own.iter().flat_map(|i| mesh.corners(mesh.triangles[*i as usize])));
            let (start, count) = if own.len() <= LEAF {
                (first, own.len() as u32)
            } else {
                let inner = self::bounds(own.iter().map(|i| middles[*i as usize]));
                let side = |d: &usize| inner.high[*d] - inner.low[*d];
                let longest = (0..3).max_by(|a, b| side(a).total_cmp(&side(b))).unwrap_or(0);
                let half = own.len() / 2;
                own.select_nth_unstable_by(half, |a, b| {
                    let at = |i: &u32| middles[*i as usize][longest];
                    at(a).total_cmp(&at(b))
                });
                let children = words.len() / 8;
                words.resize(words.len() + 16, 0);
                open.push((children, first, first + half));
                open.push((children + 1, first + half, end));
                (children, INNER)
            };
            let [a, b, c] = bounds.low.map(f32::to_bits);
            let [d, e, f] = bounds.high.map(f32::to_bits);
            let all = [a, b, c, start as u32, d, e, f, count];
            words[8 * node..8 * node + 8].copy_from_slice(&all);
        }
        Self { words, order }
    }
}

fn bounds(points: impl Iterator<Item = Vector>) -> Box {
    let empty = Box { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };
    points.fold(empty, |mut all, p| {
        all.low = std::array::from_fn(|d| all.low[d].min(p[d]));
        all.high = std::array::from_fn(|d| all.high[d].max(p[d]));
        all
    })
}
