//! Materials repeat, mip levels are means, folders are read, blocks are decoded, pictures are drawn.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::bc5;
use crate::blocks::{Split, coded, coded_within, in_bc5, side_within};
use crate::common::Stop;
use crate::draw::{Surface, View, scene};
use crate::learnt::{OnGpu, learn};
use crate::material::{Level, Material, Texel, code, light};
use crate::quality::{CEILING, of, psnr};
use crate::textures::Textures;
use crate::{drawn, folder};
use block_compression::CompressionVariant;
use block_compression::decode::decompress_blocks_as_rgba8;
use block_compression::encode::compress_rgba8;
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use std::path::PathBuf;
use wgrad::Gpu;

fn plain(texel: Texel, size: usize) -> Material {
    Material::new("plain", Level::drawn(size, |_, _| texel))
}

const TEXEL: Texel = [0.8, 0.4, 0.2, 0.6, 0.4, 0.6, 0.2, 0.8, 0.4];

/// The squares' sum over the channels of what two texels differ by.
fn apart(a: &Texel, b: &Texel) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[test]
fn drawn_materials_repeat_without_seams() {
    for material in drawn::all(256) {
        let level = &material.levels[0];
        // The mean step from a column, or a row, to the next one.
        let across = |x: usize| (0..256).map(|y| apart(level.at(x, y), level.at(x + 1, y))).sum();
        let down = |y: usize| (0..256).map(|x| apart(level.at(x, y), level.at(x, y + 1))).sum();
        for step in [&across as &dyn Fn(usize) -> f32, &down] {
            let mut inner: Vec<f32> = (0..255).map(step).collect();
            inner.sort_by(f32::total_cmp);
            let seam = step(255);
            assert!(seam > 0.3 * inner[0], "{}: {seam} and {}", material.name, inner[0]);
            assert!(seam <= 1.2 * inner[254], "{}: {seam} and {}", material.name, inner[254]);
        }
        let values = || level.texels.iter().flatten();
        assert!(values().all(|v| (0.0..=1.0).contains(v)), "{}", material.name);
        assert!(drawn::NAMES.contains(&material.name.as_str()));
    }
}

#[test]
fn the_same_material_is_drawn_again() {
    let [first, again] = [drawn::all(32), drawn::all(32)];
    assert!(first == again);
}

#[test]
fn normals_lean_away_from_the_heights() {
    // Where the height grows to the right, the normal points to the left; upwards, down.
    let [brick, ..] = drawn::all(256);
    let level = &brick.levels[0];
    let (mut across, mut up) = (0.0, 0.0);
    for (x, y) in (0..256).flat_map(|y| (0..256).map(move |x| (x, y))) {
        let texel = level.at(x, y);
        across += (level.at(x + 1, y)[8] - level.at(x + 255, y)[8]) * (texel[3] - 0.5);
        up += (level.at(x, y + 255)[8] - level.at(x, y + 1)[8]) * (texel[4] - 0.5);
    }
    assert!(across < -1.0 && up < -1.0, "{across} {up}");
}

#[test]
fn mip_levels_of_a_constant_are_constant() {
    let material = plain(TEXEL, 16);
    let sizes: Vec<usize> = material.levels.iter().map(|level| level.size).collect();
    assert_eq!(sizes, [16, 8, 4, 2, 1]);
    assert_eq!(material.texels(), 256 + 64 + 16 + 4 + 1);
    for texel in material.levels.iter().flat_map(|level| &level.texels) {
        assert!(apart(texel, &TEXEL) < 1e-9, "{texel:?}");
    }
}

#[test]
fn mip_levels_are_means_of_light_and_of_normals() {
    let [black, white] = [0.0, 1.0].map(|v| [v, v, v, 0.8, 0.5, v, v, v, v]);
    let chequered = |x: usize, y: usize| {
        let mut texel = if (x + y).is_multiple_of(2) { black } else { white };
        texel[3] = if x.is_multiple_of(2) { 0.2 } else { 0.8 };
        texel
    };
    let material = Material::new("chequered", Level::drawn(2, chequered));
    let mean = material.levels[1].texels[0];
    assert!((light(mean[0]) - 0.5).abs() < 0.004, "{mean:?}");
    assert!((mean[3] - 0.5).abs() < 0.003 && (mean[5] - 0.5).abs() < 0.003, "{mean:?}");
    assert!((code(light(0.3)) - 0.3).abs() < 1e-6);
}

#[test]
fn ratios_are_in_decibels_and_bounded() {
    let material = plain(TEXEL, 8);
    let same = of(&material.levels[0], &material.levels[0]);
    assert_eq!(same.channels, [CEILING; 9]);
    assert_eq!((same.mean, same.together), (CEILING, CEILING));
    let mut other = TEXEL;
    other[0] -= 0.1;
    let ratios = psnr(
        &material,
        &Material { levels: vec![Level::drawn(8, |_, _| other)], ..material.clone() },
    );
    assert_eq!(ratios.len(), 1);
    assert!((ratios[0].channels[0] - 20.0).abs() < 1e-4, "{ratios:?}");
    assert!((ratios[0].together - 20.0 - 10.0 * 9_f64.log10()).abs() < 1e-4, "{ratios:?}");
}

#[test]
fn blocks_of_one_value_are_decoded() {
    let material = plain(TEXEL, 8);
    for (split, bits, bound) in [(Split::Fine, 24, 0.006), (Split::Coarse, 20, 0.02)] {
        let coded = coded(&material, split);
        // Levels of 2 and 1 texels of a side fill a block as one of 4 does.
        assert_eq!(coded.bytes, bits * 16 / 8 * (4 + 1 + 1 + 1), "{split:?}");
        for texel in coded.material.levels.iter().flat_map(|level| &level.texels) {
            let error = texel.iter().zip(TEXEL).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= bound, "{split:?}: {texel:?}");
        }
    }
}

/// What a decoder makes of a block of two channels.
fn decoded(block: &[u8]) -> [[u8; 2]; 16] {
    let mut rgba = [0; 64];
    decompress_blocks_as_rgba8(CompressionVariant::BC5, 4, 4, block, &mut rgba);
    let (pixels, _) = rgba.as_chunks::<4>();
    std::array::from_fn(|i| [pixels[i][0], pixels[i][1]])
}

/// Blocks of every spread: no value is further away than half of the largest step, two values come back, and
/// the sum of all squares is below that of an encoder for pictures.
#[test]
fn learnt_values_lose_less_than_pictures() {
    let mut state = 1_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let (mut own, mut other) = (0, 0);
    for round in 0..2000 {
        let spread = [1, 2, 9, 60, 256][round % 5];
        let (base, two) = (random(), [random(), random()]);
        let mut value = || match round % 7 {
            0 => two[usize::from(random()) % 2],
            _ => {
                // Four of them: most lie in the middle.
                let sum: u32 = (0..4).map(|_| u32::from(random()) * spread / 1024).sum();
                base.saturating_add(sum as u8)
            }
        };
        let texels: [[u8; 2]; 16] = std::array::from_fn(|_| [value(), value()]);
        let found = decoded(&bc5::block(&texels));
        let rgba: Vec<u8> = texels.iter().flat_map(|pair| [pair[0], pair[1], 0, 255]).collect();
        let mut block = [0; 16];
        compress_rgba8(CompressionVariant::BC5, &rgba, &mut block, 4, 4, 16);
        let squares = |of: &[[u8; 2]; 16], c: usize| -> u32 {
            let pairs = of.iter().zip(&texels);
            pairs.map(|(a, b)| u32::from(a[c].abs_diff(b[c])).pow(2)).sum()
        };
        for c in 0..2 {
            let (error, beside) = (squares(&found, c), squares(&decoded(&block), c));
            // Of a step, and of the decoder's rounding.
            let range = texels.iter().map(|t| t[c]).max().unwrap()
                - texels.iter().map(|t| t[c]).min().unwrap();
            let most = (f32::from(range) / 14.0 + 1.0).powi(2) * 16.0;
            assert!(error as f32 <= most, "{texels:?} {found:?}");
            assert!(round % 7 > 0 || error == 0, "{texels:?} {found:?}");
            own += error;
            other += beside;
        }
    }
    println!("{:.3} of the other's", f64::from(own) / f64::from(other));
    assert!(f64::from(own) <= 0.9 * f64::from(other), "{own} {other}");
}

/// Texels of every level stand where they stood, in levels smaller than a block too.
#[test]
fn learnt_levels_come_back_where_they_were() {
    let of_level = |side: u32| {
        (0..side * side).flat_map(move |i| [(16 * (i % side)) as u8, (7 * (i / side)) as u8])
    };
    let levels: Vec<Vec<u8>> = [16, 8, 4, 2, 1].map(|side| of_level(side).collect()).into();
    let mut found = levels.clone();
    let blocks = in_bc5(16, &mut found);
    assert_eq!(blocks.iter().map(Vec::len).collect::<Vec<_>>(), [256, 64, 16, 16, 16]);
    for (found, level) in found.iter().zip(&levels) {
        let apart = found.iter().zip(level).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 4, "{} bytes: {apart}", level.len());
    }
}

#[test]
fn channels_come_back_where_they_were() {
    let material = Material::new(
        "slopes",
        Level::drawn(16, |x, y| {
            let [x, y] = [x, y].map(|v| v as f32 / 15.0);
            [x, 0.5, y, 0.4 + 0.2 * x, 0.6 - 0.2 * y, x, y, 1.0 - x, 1.0 - y]
        }),
    );
    for split in [Split::Fine, Split::Coarse] {
        let ratios = psnr(&material, &coded(&material, split).material);
        assert!(ratios[0].channels.iter().all(|ratio| *ratio > 20.0), "{split:?}: {ratios:?}");
    }
}

#[test]
fn the_smaller_material_takes_what_is_given() {
    let material = drawn::all(64).into_iter().next().unwrap();
    for bits in [1.0, 3.0, 5.0, 12.0, 24.2] {
        let bytes = (bits * material.texels() as f64 / 8.0) as usize;
        let (side, taken) = side_within(&material, bytes, Split::Fine);
        assert!(taken <= bytes && side % 4 == 0 && side <= 64, "{bits}: {side}");
        // One block more would be too much.
        let total = |side: usize| {
            let below = material.levels.iter().filter(|level| level.size < side);
            [side]
                .into_iter()
                .chain(below.map(|level| level.size))
                .map(|s| Split::Fine.bytes(s))
                .sum()
        };
        let more: usize = total(side + 4);
        assert!(total(side) == taken && (side == 64 || more > bytes), "{bits}: {side}, {taken}");
        let coded = coded_within(&material, bytes);
        assert_eq!(coded.bytes, taken);
        let sizes = |m: &Material| m.levels.iter().map(|level| level.size).collect::<Vec<_>>();
        assert_eq!(sizes(&coded.material), sizes(&material));
    }
    // A material without details loses nothing by being smaller.
    let ratios = psnr(&plain(TEXEL, 64), &coded_within(&plain(TEXEL, 64), 2000).material);
    assert!(ratios.iter().all(|ratio| ratio.mean > 45.0), "{ratios:?}");
}

fn made(name: &str, pictures: &[&str]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wgrad_material_{}_{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for picture in pictures {
        let path = folder.join(picture);
        if picture.contains("16") {
            let deep: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_pixel(12, 12, Luma([6554]));
            deep.save(path).unwrap();
        } else if picture.ends_with("txt") {
            std::fs::write(path, "no picture").unwrap();
        } else {
            RgbImage::from_pixel(24, 12, Rgb([204, 102, 51])).save(path).unwrap();
        }
    }
    folder
}

#[test]
fn a_folder_may_miss_pictures() {
    let folder = made(
        "few",
        &["MetalBox07_Color.png", "metalBoxRoughness_16.png", "MetalBox07.png", "read me.txt"],
    );
    let (material, said) = folder::load(&folder, None).unwrap();
    assert_eq!(material.size(), 32);
    let expected = [0.8, 0.4, 0.2, 0.5, 0.5, 0.1, 0.0, 1.0, 0.5];
    for texel in material.levels.iter().flat_map(|level| &level.texels) {
        assert!(apart(texel, &expected) < 1e-4, "{texel:?}");
    }
    assert!(said[0].contains("24 x 12, made 32 x 32"), "{said:?}");
    assert!(said[2].contains("normal, metalness, occlusion, height"), "{said:?}");
    assert_eq!(folder::load(&folder, Some(16)).unwrap().0.size(), 16);
}

#[test]
fn normals_of_direct3d_are_turned() {
    let both = made("both", &["a_diff.png", "a_NormalGL.png", "a_NormalDX.png"]);
    let one = made("one", &["a_diff.png", "a_nor_dx.png"]);
    let up = |folder: &PathBuf| folder::load(folder, None).unwrap().0.levels[0].texels[0][4];
    assert!((up(&both) - 0.4).abs() < 1e-3 && (up(&one) - 0.6).abs() < 1e-3);
}

#[test]
fn what_is_no_material_is_refused() {
    let broken = made("broken", &["a_color.png"]);
    std::fs::write(broken.join("a_ao.png"), "no picture").unwrap();
    for (folder, words) in [
        (made("none", &[]), "no picture of the base colour; found: no pictures"),
        (made("other", &["a_ao.png"]), "found: a_ao.png; allowed"),
        (
            made("two", &["a_color.png", "b_albedo.png"]),
            "a_color.png and b_albedo.png; allowed: one",
        ),
        (broken, "cannot read"),
        (PathBuf::from("/no/such/folder"), "cannot read the folder"),
    ] {
        let (Err(Stop::Usage(text)) | Err(Stop::Failed(text))) = folder::load(&folder, None) else {
            panic!("{}", folder.display());
        };
        assert!(text.contains(words), "{text}");
    }
}

const VIEW: View = View { width: 64, height: 36, rays: 2, zoom: 1.0 };

#[test]
fn pictures_have_all_materials_and_a_text_of_its_own_is_drawn() {
    let gpu = Gpu::new().unwrap();
    let materials = drawn::all(32);
    let textures = materials.each_ref().map(|material| Textures::new(&gpu, material));
    let surfaces = textures.each_ref().map(Textures::surface);
    let picture = scene(&gpu, &surfaces, VIEW).unwrap();
    // Every pixel belongs to some material or to the sky, and rounding of the parts is all that is missing.
    assert!(picture.pixels().all(|pixel| pixel.0[3] >= 253), "a gap");
    let text = "fn material(uv: vec2<f32>, lod: f32) -> array<f32, 9> {
        return array<f32, 9>(0.8, 0.4, 0.2, 0.6, 0.4, 0.6, 0.2, 0.8, 0.4);
    }";
    let layout = gpu
        .device()
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &[] });
    let group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &[],
    });
    let own = Surface { text, layout: &layout, group: &group, size: 32, levels: 6 };
    let same = Textures::new(&gpu, &plain(TEXEL, 32));
    let [own, same] = [own, same.surface()].map(|one| scene(&gpu, &[one], VIEW).unwrap());
    let differences = own.as_raw().iter().zip(same.as_raw()).map(|(a, b)| a.abs_diff(*b));
    assert!(differences.max().unwrap() <= 2);
}

/// At the texels of all levels the fragment shader's network gives what the CPU's gives in 8 bits.
#[test]
fn what_was_learnt_is_drawn() {
    let gpu = Gpu::new().unwrap();
    let [brick, ..] = drawn::all(32);
    let learnt = learn(None, &brick, 60).unwrap();
    let (on_gpu, decoded) = (OnGpu::new(&gpu, &learnt).unwrap(), &learnt.material);
    let textures = Textures::new(&gpu, decoded);
    let pictures = [on_gpu.surface(), textures.surface()].map(|surface| {
        let text = surface.text.replace("fn material(", "fn between(")
            + "fn material(uv: vec2<f32>, lod: f32) -> array<f32, 9> {
                let side = 32.0 / exp2(round(lod));
                return between((floor(uv * side) + 0.5) / side, round(lod));
            }";
        scene(&gpu, &[Surface { text: &text, ..surface }], VIEW).unwrap()
    });
    let [found, expected] = pictures.each_ref().map(|picture| picture.as_raw());
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let (sum, most) = differences.fold((0.0, 0.0_f64), |(sum, most), d| (sum + d, most.max(d)));
    let mean = sum / found.len() as f64;
    println!("mean {mean}, most {most}");
    assert!(mean <= 0.15 && most <= 2.0, "{mean} {most}");
}
