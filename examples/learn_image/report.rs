//! The training with its looks at the picture, and what is left of it: pictures and numbers.

use crate::common::{self, Options, Outcome, Stop, count, say, thousands};
use crate::crop::Crop;
use crate::folder;
use crate::learner::Learner;
use crate::source::{Pixels, Source};
use crate::tone::Raster;
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, RgbImage};
use std::time::{Duration, Instant};
use wgrad::Mlp;
use wgrad_plot::{Picture, Series};

/// What a training left: the PSNR at some steps, pictures of some of them, samples a second.
pub struct Learnt {
    raster: Raster,
    /// The picture's light on the raster.
    light: Vec<f32>,
    curve: Vec<(f64, f64)>,
    pictures: Vec<(u32, Vec<f32>)>,
    /// Steps that were timed, and their time.
    timed: (u32, Duration),
    batch: u32,
}

/// Steps at which the picture is looked at: 1, 2, 5, 10, 20, 50, … and the last.
fn looks(steps: u32) -> Vec<u32> {
    let decades = (0..10).map(|k| 10_u32.pow(k));
    let mut looks: Vec<u32> = decades
        .flat_map(|ten| [1, 2, 5].map(|m| ten.saturating_mul(m)))
        .filter(|step| *step < steps)
        .collect();
    looks.push(steps);
    looks
}

impl Learnt {
    /// Samples a second; `None` where nothing was timed.
    fn rate(&self) -> Option<f64> {
        let (steps, time) = self.timed;
        let samples = f64::from(steps) * f64::from(self.batch);
        (steps > 0).then(|| samples / time.as_secs_f64().max(1e-9))
    }
}

pub fn run(
    learner: &mut Learner<'_>,
    source: &Source,
    batch: u32,
    steps: u32,
    options: &Options,
) -> Outcome<Learnt> {
    let raster = Raster::new(source);
    let places = raster.places(source);
    let mut learnt = Learnt {
        raster,
        light: raster.light(source),
        curve: Vec::new(),
        pictures: Vec::new(),
        timed: (0, Duration::ZERO),
        batch,
    };
    if raster.step > 1 {
        let step = raster.step;
        say!(options, "looked at on the way: one pixel of {step} x {step}");
    }
    let mut done = 0;
    let bar = common::progress(steps.into(), "steps");
    for look in looks(steps) {
        let mut loss = f32::NAN;
        while done < look {
            // The first step, alone, waits for the driver's compiler: it is not timed.
            let now = if done == 0 { 1 } else { (look - done).min(learner.chunk()) };
            let start = Instant::now();
            loss = learner.train(now)?;
            if done > 0 {
                learnt.timed.0 += now;
                learnt.timed.1 += start.elapsed();
            }
            done += now;
            bar.inc(now.into());
        }
        let picture = learner.eye()?.predict(&places)?;
        let ratio = source.psnr(&learnt.light, &picture);
        let rate = learnt.rate().map_or(String::new(), |rate| format!("  {rate:.3e} samples/s"));
        bar.suspend(|| {
            say!(options, "step {done:>6}  loss {loss:<10.6} PSNR {ratio:>6.2} dB{rate}");
            Ok::<(), Stop>(())
        })?;
        learnt.curve.push((f64::from(done), ratio));
        let power = (0..10).any(|k| 10_u32.pow(k) == done);
        if power || done == steps {
            learnt.pictures.push((done, picture));
        }
    }
    bar.finish_and_clear();
    Ok(learnt)
}

/// Panels are made no larger: six of them stand on a sheet.
const PANEL: u32 = 960;

/// Nor are their sides shorter: something should be seen of a picture of a pixel.
const LEAST: u32 = 120;

/// A panel of colours `[height, width, 3]`.
fn panel(title: &str, [width, height]: [u32; 2], rgb: Vec<u8>) -> Outcome<Picture> {
    let image = ImageBuffer::from_raw(width, height, rgb);
    let mut image: RgbImage = image.ok_or_else(|| Stop::Failed("a picture's length".into()))?;
    let longest = width.max(height);
    if longest > PANEL {
        let [width, height] = [width, height]
            .map(|side| (u64::from(side) * u64::from(PANEL)).div_ceil(longest.into()) as u32);
        image = resize(&image, width, height, FilterType::Triangle);
    }
    let [width, height] = [image.width(), image.height()];
    if width.min(height) < LEAST {
        // Whole squares where there is room for them, else a stripe made broader.
        let zoom = (PANEL / width.max(height)).clamp(1, LEAST.div_ceil(width.min(height)));
        let sides = [width, height].map(|side| (side * zoom).max(LEAST / 4));
        image = resize(&image, sides[0], sides[1], FilterType::Nearest);
    }
    if image.width() < LEAST {
        let mut wide = RgbImage::from_pixel(LEAST, image.height(), image::Rgb([255; 3]));
        let left = i64::from(LEAST - image.width()) / 2;
        image::imageops::replace(&mut wide, &image, left, 0);
        image = wide;
    }
    Ok(wgrad_plot::titled(title, image.width(), image.as_raw())?)
}

/// The colours that an eye sees of light on a raster of `width` pixels.
fn shown(source: &Source, width: u32, light: &[f32]) -> Vec<u8> {
    let pixels = (0_u32..).zip(light.chunks(source.channels));
    pixels.flat_map(|(i, pixel)| source.shown(pixel, [i % width, i / width])).collect()
}

/// Black, red, yellow, white: the mean difference of the channels, white from a quarter on.
fn error_map(source: &Source, light: &[f32], learnt: &[f32]) -> Vec<u8> {
    let all: Vec<f64> = source.differences(light, learnt).map(f64::abs).collect();
    let pixels = all.chunks(source.channels);
    pixels
        .flat_map(|each| {
            let mean = each.iter().sum::<f64>() / each.len() as f64;
            let heat = 3.0 * (4.0 * mean).min(1.0);
            [0.0, 1.0, 2.0].map(|from| (255.0 * (heat - from).clamp(0.0, 1.0)) as u8)
        })
        .collect()
}

/// Saves the panels, the curve, and the picture itself, and says what it took.
pub fn report(
    learnt: &Learnt,
    learner: &mut Learner<'_>,
    source: &Source,
    mlp: &Mlp,
    options: &Options,
) -> Outcome {
    let Some((last, picture)) = learnt.pictures.last() else { return Ok(()) };
    let size = learnt.raster.size;
    let seen = |light: &[f32]| shown(source, size[0], light);
    let mut panels = Vec::new();
    for (step, picture) in &learnt.pictures {
        let at = count(*step as usize, "step");
        let title = format!("{at}, {:.1} dB", source.psnr(&learnt.light, picture));
        panels.push(panel(&title, size, seen(picture))?);
    }
    panels.push(panel("original", size, seen(&learnt.light))?);
    let map = error_map(source, &learnt.light, picture);
    panels.push(panel("error (white: a quarter of the range)", size, map)?);
    let rows = panels.chunks(3).map(wgrad_plot::side_by_side).collect::<Result<Vec<_>, _>>()?;
    options.save(&wgrad_plot::stacked(&rows)?, folder("learnt.png"))?;
    let series = [Series { label: "PSNR", values: &learnt.curve }];
    let labels = ["Step", "PSNR in dB"];
    let curve = wgrad_plot::curve("What is learnt", labels, &series, [true, false])?;
    options.save(&curve, folder("psnr.png"))?;
    let whole =
        if learnt.raster.step == 1 { source.store(picture) } else { draw(learner, source)? };
    let path = options.out.join(folder(source.file_name()));
    let saved = source.save(&whole, &path);
    saved.map_err(|error| Stop::Failed(format!("cannot save {}: {error}", path.display())))?;
    say!(options, "wrote {}", path.display());
    let steps = count(*last as usize, "step");
    match (learnt.rate(), learnt.timed) {
        (Some(rate), (timed, time)) => {
            let (timed, time) = (count(timed as usize, "step"), common::time(time.as_secs_f64()));
            say!(
                options,
                "{steps}; after the first, {timed} in {time}: {rate:.3e} samples a second"
            );
        }
        (None, _) => {
            say!(options, "{steps}; the first is not timed")
        }
    }
    let bytes = |count: usize| format!("{} bytes", thousands(count));
    let parameters = mlp.parameters();
    say!(
        options,
        "size: {} as f32, {} as f16; the file has {}, its pixels {}",
        bytes(4 * parameters),
        bytes(2 * parameters),
        bytes(source.bytes),
        bytes(source.pixels.bytes().len())
    );
    Ok(())
}

/// Rows of the picture that are predicted at once have about so many pixels.
const BAND: u32 = 1 << 20;

/// The whole picture as it was learnt, band after band.
fn draw(learner: &mut Learner<'_>, source: &Source) -> Outcome<Pixels> {
    let mut eye = learner.eye()?;
    let [width, height] = source.size;
    let rows = (BAND / width).max(1);
    let bar = common::progress(height.into(), "rows drawn");
    let mut whole: Option<Pixels> = None;
    for first in (0..height).step_by(rows as usize) {
        let band = first..(first + rows).min(height);
        bar.set_position(band.start.into());
        let places: Vec<f32> =
            band.flat_map(|y| (0..width).flat_map(move |x| source.middle([x, y]))).collect();
        let drawn = source.store(&eye.predict(&places)?);
        match &mut whole {
            Some(whole) => whole.append(drawn),
            None => whole = Some(drawn),
        }
    }
    bar.finish_and_clear();
    whole.ok_or_else(|| Stop::Failed("a picture without rows".into()))
}

/// Saves the crop beside the original's.
pub fn magnify(
    learner: &mut Learner<'_>,
    source: &Source,
    crop: &Crop,
    options: &Options,
) -> Outcome {
    let drawn = learner.draw(crop)?;
    let zoom = match crop.zoom() {
        1 => "learnt".to_owned(),
        zoom => format!("learnt, at {zoom} times the resolution"),
    };
    let panels = [("original", crop.of(source)), (zoom.as_str(), drawn)]
        .map(|(title, light)| panel(title, crop.size, shown(source, crop.size[0], &light)));
    let [original, drawn] = panels;
    options.save(&wgrad_plot::side_by_side(&[original?, drawn?])?, folder("crop.png"))
}
