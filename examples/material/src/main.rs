//! A physically based material of nine channels with all its mip levels as five small textures of learnt
//! values and a small network, which a fragment shader evaluates at every pixel. Beside it what block
//! compression leaves of the material, which graphics cards read: with all texels, or in the same bytes.
//!
//! ```text
//!                    sampled by the hardware's filter        the network
//! latent textures ────────────────────────────▶ 10 values ─────────▶ base colour, normal, roughness, …
//! ```
//!
//! After Vaidyanathan et al., "Random-Access Neural Compression of Material Textures", 2023, and Fujieda and
//! Harada, "Neural Texture Block Compression", 2024.
//!
//! ```text
//! cargo run --release -p wgrad-material
//! cargo run --release -p wgrad-material -- Bricks085_2K-PNG
//! ```
//!
//! Pictures, textures and shaders in `out/material/`. `--help` lists the options.

mod bc5;
mod blocks;
#[path = "../../common/mod.rs"]
mod common;
mod draw;
mod drawn;
mod folder;
mod learnt;
mod material;
mod noise;
mod quality;
mod resample;
mod sheet;
#[path = "../../common/submit.rs"]
mod submit;
#[cfg(test)]
mod tests;
mod textures;

use blocks::{Coded, Split};
use clap::Parser;
use common::{Options, Outcome, Stop, say};
use draw::View;
use image::{DynamicImage, RgbImage};
use learnt::OnGpu;
use material::Material;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use textures::Textures;
use wgrad::Gpu;

/// Learns a material of nine channels as small textures and a network, beside block compression
#[derive(Parser)]
#[command(name = "material", args_override_self = true)]
#[command(after_help = "Example: material Bricks085_2K-PNG --size 1024")]
struct Arguments {
    /// A folder of pictures, told apart by words in their names: basecolor, normal, roughness, metal, ao,
    /// height; three materials of the program's own unless it is given
    folder: Option<PathBuf>,
    /// One of the program's own materials alone
    #[arg(long, value_name = "NAME", value_parser = drawn::NAMES, conflicts_with = "folder")]
    only: Option<String>,
    /// Texels of a side, a power of two; 1024, or 128 with --quick, or as many as the folder's base colour
    /// has, up to 4096, unless it is given
    #[arg(long, value_name = "N", value_parser = power_of_two)]
    size: Option<usize>,
    /// Pixels of the width of the lit pictures; 1280, or 320 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=4096))]
    width: Option<u32>,
    /// Steps of the learning; 20000, or 15 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    #[command(flatten)]
    options: Options,
}

/// A coding and its name.
type Coding<'a> = (&'a str, &'a dyn Fn(&Material) -> Coded);

fn power_of_two(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (16..=folder::MOST).contains(&size) && size.is_power_of_two() => Ok(size),
        _ => Err(format!("allowed: a power of two of 16 to {}", folder::MOST)),
    }
}

fn main() -> ExitCode {
    common::run(|arguments: Arguments| compare(&arguments))
}

fn compare(asked: &Arguments) -> Outcome {
    let options = &asked.options;
    let start = Instant::now();
    let (materials, said) = match &asked.folder {
        Some(folder) => {
            let quick = options.quick.then_some(128);
            let (material, said) = folder::load(folder, asked.size.or(quick))?;
            (vec![material], said)
        }
        None => {
            let size = asked.size.unwrap_or(if options.quick { 128 } else { 1024 });
            let mut all: Vec<_> = drawn::all(size).into();
            all.retain(|material| asked.only.as_ref().is_none_or(|only| *only == material.name));
            (all, Vec::new())
        }
    };
    for line in said {
        say!(options, "{line}");
    }
    let size = materials.first().map_or(0, Material::size);
    let seconds = common::time(start.elapsed().as_secs_f64());
    say!(options, "{} of {size} x {size}: {seconds}", common::count(materials.len(), "material"));
    let gpu = Gpu::new()?;
    let learns_on = options.gpu()?;
    let device = learns_on.as_ref().map_or_else(|| "the CPU".to_owned(), ToString::to_string);
    say!(options, "learns on {device}, draws on {gpu}");

    let steps = asked.steps.unwrap_or(if options.quick { 15 } else { 20_000 });
    table_head(options)?;
    let mut surfaces = Vec::new();
    let mut kept = [const { Vec::new() }; 4];
    for material in &materials {
        let own = learnt::learn(learns_on.as_ref(), material, steps)?;
        let bytes = own.bytes()?;
        let coded = Coded { material: own.material.clone(), bytes };
        table_row(options, material, "learnt", &coded, own.seconds)?;
        kept[0].push(coded.material);
        own.write(&options.out.join("material"), options)?;
        surfaces.push(OnGpu::new(&gpu, &own)?);
        let codings: [Coding<'_>; 3] = [
            ("same bytes", &|material| blocks::coded_within(material, bytes)),
            (Split::Fine.name(), &|material| blocks::coded(material, Split::Fine)),
            (Split::Coarse.name(), &|material| blocks::coded(material, Split::Coarse)),
        ];
        for ((name, code), kept) in codings.iter().zip(&mut kept[1..]) {
            let start = Instant::now();
            let coded = code(material);
            table_row(options, material, name, &coded, start.elapsed().as_secs_f64())?;
            kept.push(coded.material);
        }
    }
    let [neural, smaller, fine, coarse] = &kept;
    let versions = [
        ("original", &materials),
        ("learnt", neural),
        ("block-compressed in the same bytes", smaller),
        (Split::Fine.name(), fine),
        (Split::Coarse.name(), coarse),
    ];
    let width = asked.width.unwrap_or(if options.quick { 320 } else { 1280 });
    for (number, material) in materials.iter().enumerate() {
        let file = |what| Path::new("material").join(format!("{}_{what}.png", material.name));
        options.save(&sheet::whole(material)?, file("channels"))?;
        let versions = versions.map(|(name, all)| (name, &all[number]));
        options.save(&sheet::beside(&versions)?, file("coded"))?;
        let side = width / 4;
        let view = View { width: side, height: side, rays: 2, zoom: 6.0 };
        let mut panels = Vec::new();
        for (name, version) in versions {
            let picture = match name {
                "learnt" => shaded(&gpu, &surfaces[number..=number], view)?,
                _ => lit(&gpu, std::slice::from_ref(version), view)?,
            };
            panels.push(wgrad_plot::titled(name, side, picture.as_raw())?);
        }
        options.save(&wgrad_plot::side_by_side(&panels)?, file("near"))?;
    }
    let view = View { width, height: width * 9 / 16, rays: 2, zoom: 1.0 };
    let files = ["scene", "scene_learnt", "scene_same_bytes", "scene_fine", "scene_coarse"];
    for ((name, all), file) in versions.iter().zip(files) {
        let path = options.out.join(format!("material/{file}.png"));
        let start = Instant::now();
        let picture = match *name {
            // A GPU of software takes a minute for one ray a pixel.
            "learnt" if gpu.is_software() => shaded(&gpu, &surfaces, View { rays: 1, ..view })?,
            "learnt" => shaded(&gpu, &surfaces, view)?,
            _ => lit(&gpu, all, view)?,
        };
        let seconds = common::time(start.elapsed().as_secs_f64());
        picture.save(&path).map_err(|error| Stop::Failed(error.to_string()))?;
        say!(options, "wrote {}, drawn in {seconds}", path.display());
    }
    Ok(())
}

fn table_head(options: &Options) -> Outcome {
    let channels = Material::CHANNELS.map(|name| format!("{name:>7}")).concat();
    say!(
        options,
        "{:<12} {:<19} {:>10} {:>10} {:>6} {:>6} {channels} {:>8}",
        "material",
        "coding",
        "bytes",
        "bits/texel",
        "mean",
        "all",
        "time"
    );
    Ok(())
}

/// The ratios of the whole size in dB, by channel, and the means of the mip levels below.
fn table_row(
    options: &Options,
    original: &Material,
    name: &str,
    coded: &Coded,
    seconds: f64,
) -> Outcome {
    let ratios = quality::psnr(original, &coded.material);
    let Some(whole) = ratios.first() else { return Ok(()) };
    let channels: String = whole.channels.iter().map(|ratio| format!("{ratio:>7.1}")).collect();
    say!(
        options,
        "{:<12} {name:<19} {:>10} {:>10.2} {:>6.2} {:>6.2} {channels} {:>8}",
        original.name,
        common::thousands(coded.bytes),
        original.bits(coded.bytes),
        whole.mean,
        whole.together,
        common::time(seconds)
    );
    let below = original.levels.iter().zip(&ratios).skip(1).filter(|(level, _)| level.size >= 4);
    let below: Vec<String> =
        below.map(|(level, ratio)| format!("{} {:.1}", level.size, ratio.mean)).collect();
    say!(options, "{:<12} mean of the mip levels: {}", "", below.join(", "));
    Ok(())
}

/// Draws materials from their textures.
fn lit(gpu: &Gpu, materials: &[Material], view: View) -> Outcome<RgbImage> {
    let textures: Vec<Textures> = materials.iter().map(|m| Textures::new(gpu, m)).collect();
    let surfaces: Vec<_> = textures.iter().map(Textures::surface).collect();
    Ok(DynamicImage::ImageRgba8(draw::scene(gpu, &surfaces, view)?).into_rgb8())
}

/// Draws materials as they were learnt: the fragment shader evaluates the networks.
fn shaded(gpu: &Gpu, surfaces: &[OnGpu], view: View) -> Outcome<RgbImage> {
    let surfaces: Vec<_> = surfaces.iter().map(OnGpu::surface).collect();
    Ok(DynamicImage::ImageRgba8(draw::scene(gpu, &surfaces, view)?).into_rgb8())
}
