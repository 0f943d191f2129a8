//! Sheets of a material's channels.

use crate::common::Outcome;
use crate::material::{Level, Material, Texel};
use wgrad_plot::{Picture, side_by_side, stacked, titled};

/// Panels are at most so many pixels wide: six of them stand beside each other.
const PANEL: usize = 320;

/// A picture's name and what it shows of a texel.
type Map = (&'static str, fn(&Texel) -> [f32; 3]);

/// The pictures of a material.
const MAPS: [Map; 6] = [
    ("base colour", |t| [t[0], t[1], t[2]]),
    ("normal", |t| {
        let [x, y] = [t[3], t[4]].map(|v| 2.0 * v - 1.0);
        [t[3], t[4], 0.5 + 0.5 * (1.0 - x * x - y * y).max(0.0).sqrt()]
    }),
    ("roughness", |t| [t[5]; 3]),
    ("metalness", |t| [t[6]; 3]),
    ("occlusion", |t| [t[7]; 3]),
    ("height", |t| [t[8]; 3]),
];

/// Six panels of a square of a level, from a texel on.
fn panels(level: &Level, from: usize, side: usize, above: &str) -> Outcome<Vec<Picture>> {
    let zoom = (PANEL / side).max(1);
    let places = (0..zoom * side).flat_map(|y| (0..zoom * side).map(move |x| [x, y]));
    let texels: Vec<&Texel> =
        places.map(|[x, y]| level.at(from + x / zoom, from + y / zoom)).collect();
    let mut panels = Vec::new();
    for (name, shown) in MAPS {
        let bytes = |texel: &&Texel| shown(texel).map(|v| (255.0 * v).round() as u8);
        let rgb: Vec<u8> = texels.iter().flat_map(bytes).collect();
        panels.push(titled(&format!("{above}{name}"), (zoom * side) as u32, &rgb)?);
    }
    Ok(panels)
}

/// All of a material, from the mip level that a panel has room for.
pub fn whole(material: &Material) -> Outcome<Picture> {
    let fits = material.levels.iter().find(|level| level.size <= PANEL);
    let Some(level) = fits.or(material.levels.last()) else {
        return Ok(side_by_side(&[])?);
    };
    let panels = panels(level, 0, level.size, "")?;
    let rows = panels.chunks(3).map(side_by_side).collect::<Result<Vec<_>, _>>()?;
    Ok(stacked(&rows)?)
}

/// The middle of the whole size, texel by texel, of several versions below each other.
pub fn beside(versions: &[(&str, &Material)]) -> Outcome<Picture> {
    let mut rows = Vec::new();
    for (name, material) in versions {
        for level in material.levels.iter().take(1) {
            let side = level.size.min(PANEL / 2);
            let from = (level.size - side) / 2;
            rows.push(side_by_side(&panels(level, from, side, &format!("{name}: "))?)?);
        }
    }
    Ok(stacked(&rows)?)
}
