//! A picture's file, decoded.

use crate::common::{Outcome, Stop, count, thousands};
use crate::ends::walk;
use crate::source::{Pixels, Source};
use image::codecs::hdr::HdrDecoder;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::fmt::Display;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

/// The kinds that are read.
const KINDS: &str = "PNG, JPEG, WebP, GIF, BMP, PNM, TIFF, HDR and OpenEXR";

/// Pixels of a picture, and bytes of its values, at most.
const MOST: [u64; 2] = [1 << 29, 1 << 33];

/// What a decoder has made of a file, in the file's own order.
pub struct Decoded {
    pub pixels: Pixels,
    pub size: [u32; 2],
    pub channels: usize,
    orientation: Orientation,
}

/// Reads a file; one that is cut off or damaged only if `partial`.
pub fn read(path: &Path, partial: bool) -> Outcome<Source> {
    let name = path.display().to_string();
    let failed =
        |what: &dyn Display| Stop::Failed(format!("cannot read the picture {name}: {what}"));
    if path.is_dir() {
        return Err(failed(&"it is a folder"));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    decode(&name, &bytes, partial).map_err(|error| failed(&error))
}

/// The picture in the bytes of a file.
///
/// # Errors
/// What is wrong with the file, without its name.
pub fn decode(name: &str, bytes: &[u8], partial: bool) -> Result<Source, String> {
    let format = format_of(bytes)?;
    let found = walk(bytes, format);
    let cut = |what: &dyn Display| {
        format!("it is cut off, {what}; --partial takes the rows that are there")
    };
    let whole = if found.whole {
        attempt(bytes, format, 0).and_then(|(decoded, result)| result.map(|()| decoded)).map_err(
            |error| match &error {
                ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
                    cut(&format_args!("and its {} bytes end too early", thousands(bytes.len())))
                }
                _ => error.to_string(),
            },
        )
    } else {
        Err(cut(&format_args!("after {} bytes, before its end mark", thousands(bytes.len()))))
    };
    let mut notes = Vec::new();
    let mut decoded = match whole {
        Ok(decoded) => decoded,
        Err(_) if partial => {
            let (decoded, note) = take(bytes, format, found.scans)?;
            notes.push(note);
            decoded
        }
        Err(error) => return Err(error),
    };
    if found.frames > 1 {
        notes.push(format!("the first of {} is learnt", count(found.frames, "frame")));
    }
    if decoded.orientation != Orientation::NoTransforms {
        let number = decoded.orientation.to_exif();
        notes.push(format!("turned upright, as its EXIF orientation {number} says"));
        decoded = decoded.upright();
    }
    Source::new(name, decoded, format, bytes.len(), notes)
}

/// The format by the file's first bytes.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("the file is empty".into());
    }
    // Radiance's own signature has a sister.
    if bytes.starts_with(b"#?RGBE") {
        return Ok(ImageFormat::Hdr);
    }
    let Ok(format) = image::guess_format(bytes) else {
        let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(12)]).into_owned();
        let text =
            format!("no picture of a known kind, it begins with {begin:?}; read are {KINDS}");
        return Err(text);
    };
    if format.reading_enabled() {
        return Ok(format);
    }
    let kind = format!("{format:?}").to_uppercase();
    Err(format!("{kind} pictures are not read; read are {KINDS}"))
}

fn decoder(bytes: &[u8], format: ImageFormat) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    if format == ImageFormat::Hdr {
        return Ok(Box::new(HdrDecoder::new_nonstrict(Cursor::new(bytes))?));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST[1]);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    Ok(Box::new(reader.into_decoder()?))
}

/// Decodes into pixels of the byte `fill`: what an error has left of them is theirs.
fn attempt(
    bytes: &[u8],
    format: ImageFormat,
    fill: u8,
) -> Result<(Decoded, Result<(), ImageError>), ImageError> {
    let mut decoder = decoder(bytes, format)?;
    let size: [u32; 2] = decoder.dimensions().into();
    let refused = |text: String| ImageError::IoError(std::io::Error::other(text));
    let [width, height] = size;
    let all = u64::from(width) * u64::from(height);
    if all == 0 {
        return Err(refused(format!("it has {width} x {height} pixels: none")));
    }
    if all > MOST[0] || decoder.total_bytes() > MOST[1] {
        let most = thousands(MOST[0] as usize);
        return Err(refused(format!("it has {width} x {height} pixels; at most {most} are read")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let color = decoder.color_type();
    let channels = usize::from(color.channel_count());
    let values = all as usize * channels;
    let mut pixels = match color.bytes_per_pixel() / color.channel_count() {
        1 => Pixels::Eight(vec![fill; values]),
        2 => Pixels::Sixteen(vec![u16::from_ne_bytes([fill; 2]); values]),
        _ => Pixels::Float(vec![f32::from_ne_bytes([fill; 4]); values]),
    };
    let result = decoder.read_image(pixels.bytes_mut());
    // An error leaves a PNG's values in the order of the file's bytes.
    if let (Err(_), ImageFormat::Png, Pixels::Sixteen(values)) = (&result, format, &mut pixels) {
        values.iter_mut().for_each(|value| *value = u16::from_be(*value));
    }
    Ok((Decoded { pixels, size, channels, orientation }, result))
}

/// The rows that are there of a cut file, and a note of how many.
///
/// The file is decoded twice, with different bytes behind its end, into different pixels: where
/// both are the same, the file itself has said so.
fn take(bytes: &[u8], format: ImageFormat, scans: usize) -> Result<(Decoded, String), String> {
    let after = format!("after {} bytes", thousands(bytes.len()));
    // Their decoders go over all rows at once.
    if matches!(format, ImageFormat::WebP | ImageFormat::OpenExr) {
        let kind = if format == ImageFormat::WebP { "WebP" } else { "OpenEXR" };
        return Err(format!("cut off or damaged, {after}, and of a {kind} file there is no part"));
    }
    let nothing = |error: ImageError| format!("cut off {after}, in its header: {error}");
    let total = decoder(bytes, format).map_err(nothing)?.total_bytes().min(MOST[1]) as usize;
    // A text of numbers goes on as a text.
    let is_text = format == ImageFormat::Pnm && matches!(bytes[1], b'1'..=b'3');
    // Its last number may be half of one.
    let is_half = |bytes: &[u8]| is_text && bytes.last().is_some_and(u8::is_ascii_digit);
    let try_with = |fill: u8, padding: usize| {
        let mut padded = bytes.to_vec();
        while bytes[1] != b'1' && is_half(&padded) {
            padded.pop();
        }
        let mut state = 1_u32;
        padded.extend((0..padding).map(|i| {
            state = state.wrapping_mul(0x915f_77f5).wrapping_add(1);
            match (is_text, fill) {
                (true, _) if i % 2 == 0 => b' ',
                (true, _) => b'0' + (fill & 1),
                (false, 0) => 0,
                // The first bit is another one from either end.
                (false, _) if i == 0 => 0x81,
                // Not 255, which begins a JPEG's marker.
                (false, _) => ((state >> 24) as u8).min(0xfe),
            }
        }));
        if format == ImageFormat::Jpeg {
            padded.extend([0xff, 0xd9]);
        }
        attempt(&padded, format, fill).map(|(decoded, _)| decoded).map_err(nothing)
    };
    if scans > 1 {
        let whole = count(scans - 1, "whole scan");
        let note = format!(
            "cut off {after}: all rows are there, from {whole} and a part of another, and coarser \
             than the picture was"
        );
        return Ok((try_with(0, 0)?, note));
    }
    // A PNG's decoder has written the rows that it knows: more bytes could only mislead it.
    let padding = if format == ImageFormat::Png { 0 } else { 2 * total + 1024 };
    let (decoded, other) = (try_with(0, padding)?, try_with(0xff, padding)?);
    let (first, rows) = decoded.common_rows(&other);
    let height = decoded.size[1];
    if rows == 0 {
        return Err(format!("cut off {after}: its decoder gives no row of it"));
    }
    let note = if rows == height {
        format!("cut off {after}: all its {} are there", count(rows as usize, "row"))
    } else {
        let [first, last] = [first + 1, first + rows];
        format!("cut off {after}: rows {first} to {last} of {height} are there, and learnt")
    };
    Ok((decoded.rows(first, rows), note))
}

impl Decoded {
    fn row_bytes(&self) -> usize {
        self.pixels.bytes().len() / self.size[1] as usize
    }

    /// The longest run of rows that both share: its first, and how many.
    fn common_rows(&self, other: &Self) -> (u32, u32) {
        let line = self.row_bytes();
        let (mut longest, mut run) = ((0, 0), 0);
        let pairs = self.pixels.bytes().chunks(line).zip(other.pixels.bytes().chunks(line));
        for (y, (a, b)) in (0_u32..).zip(pairs) {
            run = if a == b { run + 1 } else { 0 };
            if run > longest.1 {
                longest = (y + 1 - run, run);
            }
        }
        longest
    }

    fn rows(self, first: u32, rows: u32) -> Self {
        if rows == self.size[1] {
            return self;
        }
        let line = self.size[0] as usize * self.channels;
        let from = first as usize * line..(first + rows) as usize * line;
        Self { pixels: self.pixels.gather(from), size: [self.size[0], rows], ..self }
    }

    /// Turned and mirrored as its orientation says.
    pub fn upright(self) -> Self {
        use Orientation::*;
        let [width, height] = self.size;
        let orientation = self.orientation;
        let lies = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
        let size = if lies { [height, width] } else { self.size };
        let from = move |x: u32, y: u32| match orientation {
            NoTransforms => (x, y),
            FlipHorizontal => (width - 1 - x, y),
            FlipVertical => (x, height - 1 - y),
            Rotate180 => (width - 1 - x, height - 1 - y),
            Rotate90 => (y, height - 1 - x),
            Rotate270 => (width - 1 - y, x),
            Rotate90FlipH => (y, x),
            Rotate270FlipH => (width - 1 - y, height - 1 - x),
        };
        let channels = self.channels;
        let places = (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| from(x, y)));
        let elements = places.flat_map(|(x, y)| {
            let first = (y as usize * width as usize + x as usize) * channels;
            first..first + channels
        });
        let pixels = self.pixels.gather(elements);
        Self { pixels, size, channels, orientation: NoTransforms }
    }
}
