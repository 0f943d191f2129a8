//! A material from a folder of pictures, which the words in their names tell apart.

use crate::common::{Outcome, Stop, usage};
use crate::material::{FLAT, Level, Material};
use image::Rgb32FImage;
use image::imageops::{FilterType, resize};
use std::fs;
use std::path::{Path, PathBuf};

/// The most texels of a side.
pub const MOST: usize = 4096;

/// Endings of the files that are looked at.
const ENDINGS: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// What a picture holds, and the words for it. Of the words in a name, the last one counts: a "metal plate
/// color" is a colour.
const MAPS: [(&str, &[&str]); 6] = [
    (
        "base colour",
        &["basecolor", "basecolour", "albedo", "diffuse", "diff", "color", "colour", "col"],
    ),
    ("normal", &["normal", "normals", "nor", "nrm", "normalgl", "normaldx"]),
    ("roughness", &["roughness", "rough"]),
    ("metalness", &["metalness", "metallic", "metal"]),
    ("occlusion", &["ao", "occlusion", "ambientocclusion"]),
    ("height", &["height", "displacement", "disp", "bump"]),
];

/// The words of a file's name: they end at signs, and each may begin at a capital within. A "MetalBox_Color"
/// has "metalbox", "box" and "color", but no "metal".
fn words(path: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let parts = stem.split(|letter: char| !letter.is_alphanumeric());
    let within = |part: &str| {
        let pairs = part.char_indices().zip(part.chars().skip(1));
        let capitals =
            pairs.filter(|((_, before), letter)| before.is_lowercase() && letter.is_uppercase());
        let begins = capitals.map(|((at, before), _)| at + before.len_utf8());
        let begins: Vec<usize> = [0].into_iter().chain(begins).collect();
        begins.into_iter().map(|at| part[at..].to_lowercase()).collect::<Vec<_>>()
    };
    parts.flat_map(within).collect()
}

/// Which of `MAPS` a picture is.
fn map_of(path: &Path) -> Option<usize> {
    let map = |word: &String| MAPS.iter().position(|(_, all)| all.contains(&word.as_str()));
    words(path).iter().rev().find_map(map)
}

/// Whether a normal's y points down the picture, as Direct3D has it.
fn is_down(path: &Path) -> bool {
    words(path).iter().any(|word| word == "dx" || word == "normaldx")
}

/// A name, for messages.
fn shown(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The picture of each map.
fn pictures(folder: &Path) -> Outcome<[Option<PathBuf>; 6]> {
    let unread =
        |error| Stop::Failed(format!("cannot read the folder {}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(unread)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unread)?;
    paths.retain(|path| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        ENDINGS.contains(&ending.as_str())
    });
    paths.sort();
    // Of two normals, the one whose y points up is taken.
    let of = |map: usize| paths.iter().filter(move |path| map_of(path) == Some(map));
    let mut found = [const { None }; 6];
    for (map, (name, _)) in MAPS.iter().enumerate() {
        let mut all: Vec<&PathBuf> = of(map).collect();
        if all.iter().any(|path| !is_down(path)) {
            all.retain(|path| !is_down(path));
        }
        if let [first, second, ..] = all[..] {
            let [first, second] = [first, second].map(|path| shown(path));
            return Err(usage(format!(
                "{}: two pictures of the {name}, {first} and {second}; allowed: one",
                folder.display()
            )));
        }
        found[map] = all.first().map(|path| path.to_path_buf());
    }
    if found[0].is_none() {
        let names: Vec<String> = paths.iter().map(|path| shown(path)).collect();
        let names = if names.is_empty() { "no pictures".into() } else { names.join(", ") };
        return Err(usage(format!(
            "{}: no picture of the base colour; found: {names}; allowed: a name with one of the words {}, \
             which ends in {}",
            folder.display(),
            MAPS[0].1.join(", "),
            ENDINGS.join(", ")
        )));
    }
    Ok(found)
}

/// Reads the pictures. `size` texels of a side are made of them, or the power of two that the base colour
/// has room for. Returns what there is to say, too.
pub fn load(folder: &Path, size: Option<usize>) -> Outcome<(Material, Vec<String>)> {
    let found = pictures(folder)?;
    let mut said = Vec::new();
    let mut side = size;
    let mut images: [Option<Rgb32FImage>; 6] = [const { None }; 6];
    for (map, path) in found.iter().enumerate() {
        let Some(path) = path else { continue };
        let (name, picture) = (MAPS[map].0, shown(path));
        let decoded = image::ImageReader::open(path)?.with_guessed_format()?.decode();
        let image = decoded
            .map_err(|error| Stop::Failed(format!("cannot read {}: {error}", path.display())))?
            .into_rgb32f();
        let [width, height] = [image.width(), image.height()];
        let longest = width.max(height) as usize;
        let side = *side.get_or_insert(longest.next_power_of_two().min(MOST));
        let is_same = [width, height] == [side as u32; 2];
        let resized = if is_same { String::new() } else { format!(", made {side} x {side}") };
        said.push(format!("{name}: {picture}, {width} x {height}{resized}"));
        images[map] = Some(if is_same {
            image
        } else {
            resize(&image, side as u32, side as u32, FilterType::Lanczos3)
        });
    }
    let missing: Vec<&str> =
        MAPS.iter().zip(&images).filter(|(_, i)| i.is_none()).map(|((name, _), _)| *name).collect();
    if !missing.is_empty() {
        said.push(format!("no picture of: {}; it is the same everywhere", missing.join(", ")));
    }
    let flip = found[1].as_deref().is_some_and(is_down);
    let whole = Level::drawn(side.unwrap_or(1), |x, y| {
        let at = |map: usize, without: [f32; 3]| {
            let pixel = images[map].as_ref().map(|image| image.get_pixel(x as u32, y as u32).0);
            pixel.unwrap_or(without).map(|v| v.clamp(0.0, 1.0))
        };
        let [r, g, b] = at(0, [0.0; 3]);
        let [right, up, _] = at(1, [FLAT; 3]);
        let up = if flip { 1.0 - up } else { up };
        let [roughness, metalness, occlusion, height] =
            [(2, 0.5), (3, 0.0), (4, 1.0), (5, 0.5)].map(|(map, without)| at(map, [without; 3])[0]);
        [r, g, b, right, up, roughness, metalness, occlusion, height]
    });
    let name =
        fs::canonicalize(folder)?.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((Material::new(name, whole), said))
}
