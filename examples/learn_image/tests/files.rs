//! Files: what is read of them.

use super::{Folder, bytes, file, source};
use crate::common::Stop;
use crate::ends::walk;
use crate::load::{self, decode};
use crate::source::{Pixels, Source};
use crate::tone::Raster;
use approx::assert_abs_diff_eq;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

fn files() -> Vec<String> {
    let entries = std::fs::read_dir(file("")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 30, "{names:?}");
    names
}

/// The light of a value of 0 to 1.
fn linear(v: f64) -> f64 {
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// The colour that most of the files have at a pixel, 0 to 255: all were made of the same one.
fn colour(x: u32, y: u32) -> [f64; 3] {
    let square = f64::from((x / 8 + y / 8) % 2);
    [8.0 * f64::from(x) + 20.0, 12.0 * f64::from(y) + 30.0, 60.0 + 70.0 * square]
}

/// The mean difference to the colours of all pixels, as sRGB values of 0 to 255.
fn distance(source: &Source) -> f64 {
    let Pixels::Eight(values) = &source.pixels else { panic!("{}: not 8 bits", source.name) };
    let (mut sum, mut terms) = (0.0, 0.0);
    for y in 0..source.height() {
        for x in 0..source.width() {
            let expected = colour(x, y);
            for c in 0..3 {
                sum += (f64::from(values[source.at(x, y)][c]) - expected[c]).abs();
                terms += 1.0;
            }
        }
    }
    sum / terms
}

#[test]
fn each_kind_is_read() {
    // Exact ones, and ones with a loss or fewer colours.
    for (name, most) in [
        ("rgb.png", 0.0),
        ("interlaced.png", 0.0),
        ("frames.png", 0.0),
        ("rgb.bmp", 0.0),
        ("rgb.ppm", 0.0),
        ("rgb.tif", 0.0),
        ("lzw.tif", 0.0),
        ("lossless.webp", 0.0),
        ("frames.webp", 0.0),
        ("rgb.jpg", 3.0),
        ("cmyk.jpg", 8.0),
        ("lossy.webp", 12.0),
        ("palette.png", 20.0),
        ("palette.bmp", 20.0),
        ("frames.gif", 20.0),
    ] {
        let source = source(name);
        assert_eq!((source.size, source.channels), ([24, 16], 3), "{name}");
        let found = distance(&source);
        assert!(found <= most, "{name}: the pixels are off by {found} in the mean");
    }
    for name in ["grey.png", "grey.jpg", "grey.pgm", "bits.pbm"] {
        assert_eq!(source(name).channels, 1, "{name}");
    }
    for name in ["palette_transparent.png", "alpha.webp", "rgba_half.png"] {
        assert_eq!(source(name).channels, 4, "{name}");
    }
    // Values of 0 to 200 stand for 0 to 255.
    let Pixels::Eight(values) = source("ascii.ppm").pixels else { panic!("8 bits") };
    assert_eq!(values[..3], [26, 38, 77]);
}

#[test]
fn sixteen_bits_and_light_keep_their_range() {
    for name in ["rgb16.png", "rgb16.ppm"] {
        let source = source(name);
        assert_eq!((source.size, source.channels), ([24, 16], 3), "{name}");
        for (x, y) in [(0, 0), (5, 3), (23, 15)] {
            let values = [2730 * x + 5, 4096 * y + 7, 100 * x * y + 9];
            for (c, value) in values.iter().enumerate() {
                let expected = linear(f64::from(*value) / 65535.0);
                assert_abs_diff_eq!(f64::from(source.light(x, y)[c]), expected, epsilon = 1e-7);
            }
        }
    }
    let source = source("grey_alpha16.png");
    assert_eq!(source.channels, 2);
    let alpha = 4369.0 * 7.0 / 65535.0;
    let light = source.light(11, 7);
    assert_abs_diff_eq!(f64::from(light[1]), alpha, epsilon = 1e-7);
    let expected = linear(f64::from(2730 * 11 + 5) / 65535.0) * alpha;
    assert_abs_diff_eq!(f64::from(light[0]), expected, epsilon = 1e-7);
    // 2^(x/2 - 4), 2^(y/2 - 4) and a quarter: up to 181, or 181,000.
    for (name, scale, error) in [("light.hdr", 1.0, 1.0 / 128.0), ("float_piz.exr", 1e3, 1e-6)] {
        let source = self::source(name);
        assert!(source.is_float() && source.channels == 3, "{name}");
        for (x, y) in [(0, 0), (9, 14), (23, 2)] {
            let power = |i: u32| scale * (f64::from(i) / 2.0 - 4.0).exp2();
            for (c, expected) in [power(x), power(y), scale / 4.0].into_iter().enumerate() {
                let found = f64::from(source.light(x, y)[c]);
                let most = error * power(x).max(power(y)).max(scale / 4.0);
                assert!((found - expected).abs() <= most, "{name} ({x}, {y}): {found}, {expected}");
            }
        }
    }
    // OpenEXR's colours are multiplied with alpha in the file.
    let half = self::source("half_zip.exr");
    assert_eq!(half.channels, 4);
    let alpha = 12.0 / 23.0;
    assert_abs_diff_eq!(f64::from(half.light(12, 4)[3]), alpha, epsilon = 1e-3);
    assert_abs_diff_eq!(f64::from(half.light(12, 4)[0]), 4.0 * alpha, epsilon = 4e-3);
}

#[test]
fn the_orientations_are_image_s_own() {
    let upright = bytes("exif_rotate90.jpg");
    // The tag 0x0112 of a big-endian directory: type, count, value.
    let tag = [1, 0x12, 0, 3, 0, 0, 0, 1, 0];
    let at = upright.windows(9).position(|window| window == tag).unwrap() + 9;
    assert_eq!(upright[at], 6);
    for orientation in 1..=8 {
        let mut turned = upright.clone();
        turned[at] = orientation;
        let mut decoder = ImageReader::with_format(Cursor::new(&turned), ImageFormat::Jpeg)
            .into_decoder()
            .unwrap();
        let own = decoder.orientation().unwrap();
        assert_eq!(own.to_exif(), orientation);
        let mut expected = DynamicImage::from_decoder(decoder).unwrap();
        expected.apply_orientation(own);
        let source = decode("turned", &turned, false).unwrap();
        assert_eq!(source.size, [expected.width(), expected.height()], "{orientation}");
        assert_eq!(source.pixels.bytes(), expected.as_bytes(), "{orientation}");
        let said = source.notes.iter().any(|note| note.contains("EXIF"));
        assert_eq!(said, orientation != 1);
    }
    assert_eq!(source("exif_rotate90.jpg").size, [64, 96]);
}

#[test]
fn a_cut_file_is_an_error_or_its_rows() {
    for name in files() {
        if name == "truncated.jpg" {
            continue;
        }
        let (all, whole) = (bytes(&name), source(&name));
        let format = image::guess_format(&all).unwrap();
        // Half of a text's last number is a number, too.
        let last = all.len() - if name == "ascii.ppm" { 5 } else { 1 };
        let mut taken = 0;
        for length in (0..=last).rev().step_by(1 + all.len() / 200) {
            let cut = &all[..length];
            let error = match decode(&name, cut, false) {
                Ok(_) => panic!("{name}: cut to {length} of {} bytes and read", all.len()),
                Err(error) => error,
            };
            assert!(!error.is_empty() && error.len() < 400, "{name}: {error}");
            let Ok(part) = decode(&name, cut, true) else { continue };
            taken += 1;
            // The rows themselves, one of them where one was said; a format with a loss smoothes
            // over the seam, and an orientation puts columns where the rows were.
            if name.contains("exif") || walk(cut, format).scans > 0 {
                continue;
            }
            assert_eq!(part.width(), whole.width(), "{name} at {length}");
            assert!(part.notes[0].starts_with("cut off"), "{name}: {:?}", part.notes);
            if part.channels == whole.channels && !matches!(format, ImageFormat::Jpeg) {
                let line = part.pixels.bytes().len() / part.height() as usize;
                let rows: Vec<_> = whole.pixels.bytes().chunks(line).collect();
                let here: Vec<_> = part.pixels.bytes().chunks(line).collect();
                let is_there = rows.windows(here.len()).any(|rows| rows == here);
                assert!(is_there, "{name} at {length}: other rows");
            }
        }
        println!("{name}: {taken} cut files gave rows");
        // Their decoders give all or nothing; a TIFF may have its directory at its end.
        let gives_nothing =
            matches!(format, ImageFormat::OpenExr | ImageFormat::WebP) || name == "lzw.tif";
        assert!(taken > 0 || gives_nothing, "{name}: --partial takes nothing");
    }
}

#[test]
fn the_cases_are_what_is_right() {
    let cut = bytes("truncated.jpg");
    let error = decode("truncated.jpg", &cut, false).err().unwrap();
    assert!(error.contains("cut off, after 968 bytes") && error.contains("--partial"), "{error}");
    let part = decode("truncated.jpg", &cut, true).unwrap();
    let note = &part.notes[0];
    assert!(note.starts_with("cut off after 968 bytes: rows 1 to "), "{note}");
    assert!((12..32).contains(&part.height()) && part.width() == 96, "{:?}", part.size);
    // A progressive one has all rows early, and each of them badly.
    let all = bytes("progressive.jpg");
    let part = decode("progressive", &all[..all.len() - 300], true).unwrap();
    assert_eq!(part.size, [96, 64]);
    assert!(part.notes[0].contains("coarser"), "{:?}", part.notes);
    assert!(source("frames.gif").notes[0].contains("first of 3 frames"));
    assert!(source("frames.webp").notes[0].contains("first of 3 frames"));
    assert!(source("frames.png").notes[0].contains("first of 3 frames"));
}

/// A picture of 8-bit values, through a PNG file.
fn made(size: [u32; 2], color: image::ExtendedColorType, values: &[u8]) -> Source {
    let mut png = Vec::new();
    let format = ImageFormat::Png;
    image::write_buffer_with_format(
        &mut Cursor::new(&mut png),
        values,
        size[0],
        size[1],
        color,
        format,
    )
    .unwrap();
    decode("made", &png, false).unwrap()
}

#[test]
fn what_nobody_sees_counts_nothing() {
    use image::ExtendedColorType::{Rgb8, Rgba8};
    // A hidden red beside a visible grey: grey, with light 0 where nothing is seen.
    let source = made([2, 1], Rgba8, &[255, 0, 0, 0, 90, 90, 90, 255]);
    assert_eq!(source.channels, 2);
    assert_eq!(source.light(0, 0)[..2], [0.0, 0.0]);
    assert!(source.notes.iter().any(|note| note.contains("transparent")));
    // An alpha channel that hides nothing is none; a grey written in colour is one.
    assert_eq!(made([1, 1], Rgba8, &[9, 8, 7, 255]).channels, 3);
    assert_eq!(made([1, 2], Rgb8, &[9, 9, 9, 1, 1, 1]).channels, 1);
    // Between hidden red and visible green there is no brown.
    let source = made([2, 1], Rgba8, &[255, 0, 0, 0, 0, 255, 0, 255]);
    assert_eq!(source.sample([0.5, 0.5]), [0.0, 0.5, 0.0, 0.5]);
}

#[test]
fn what_is_stored_is_what_was_read() {
    let folder = Folder::new("stored");
    for name in files() {
        if name == "truncated.jpg" {
            continue;
        }
        let source = source(&name);
        let light: Vec<f32> = (0..source.height())
            .flat_map(|y| (0..source.width()).map(move |x| (x, y)))
            .flat_map(|(x, y)| source.light(x, y).into_iter().take(source.channels))
            .collect();
        let stored = source.store(&light);
        let path = folder.0.join(format!("{name}.{}", source.file_name()));
        source.save(&stored, &path).unwrap();
        let again = load::read(&path, false).unwrap();
        assert_eq!(again.size, source.size, "{name}");
        assert_eq!(again.channels, source.channels, "{name}");
        if source.has_alpha() {
            // Colours under a small alpha are rounded.
            let ratio = source.psnr(&light, &Raster::new(&again).light(&again));
            assert!(ratio > 60.0, "{name}: {ratio} dB");
        } else {
            assert_eq!(stored, source.pixels, "{name}");
            assert_eq!(again.pixels, source.pixels, "{name}");
        }
    }
}

#[test]
fn strange_files_are_told() {
    let told = |bytes: &[u8]| decode("strange", bytes, false).err().unwrap();
    assert_eq!(told(b""), "the file is empty");
    assert!(told(b"Dear diary, today").starts_with("no picture of a known kind, it begins with"));
    assert!(told(b"\0\0\0\x1cftypavif\0\0\0\0").contains("AVIF pictures are not read"));
    assert!(told(b"P5\n0 5\n255\n").contains("0 x 5"), "{}", told(b"P5\n0 5\n255\n"));
    let large = told(b"P5\n100000 100000\n255\n1234");
    assert!(large.contains("at most 536,870,912"), "{large}");
    let Err(Stop::Failed(text)) = load::read(&file(""), false) else { panic!("a folder") };
    assert!(text.contains("it is a folder"), "{text}");
    let Err(Stop::Failed(text)) = load::read(Path::new("no/such.png"), false) else {
        panic!("a missing file")
    };
    assert!(text.contains("no/such.png"), "{text}");
    // Light that is none.
    let mut exr = Vec::new();
    let mut values = [1.0_f32; 12];
    values[7] = f32::NAN;
    let color = image::ExtendedColorType::Rgb32F;
    let floats = bytemuck::cast_slice(&values);
    let to = &mut Cursor::new(&mut exr);
    image::write_buffer_with_format(to, floats, 2, 2, color, ImageFormat::OpenExr).unwrap();
    assert!(told(&exr).contains("pixel (0, 1) has the value NaN"), "{}", told(&exr));
    for length in 0..64 {
        for name in ["rgb.png", "rgb.jpg", "frames.gif", "lossy.webp"] {
            // Damage: no panic, whatever comes of it.
            let mut damaged = bytes(name);
            let at = length * damaged.len() / 64;
            damaged[at] ^= 0x55;
            let _ = decode(name, &damaged, false);
            let _ = decode(name, &damaged, true);
        }
    }
}
