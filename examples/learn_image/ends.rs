//! Whether a picture's file is whole. A decoder fills up what is missing of some formats with grey, so
//! the file is asked itself: its format has a mark at its end, or the length in its header.

use image::ImageFormat;

/// What a walk through a file has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Whether the file's own end was reached. Formats without a mark say yes: their decoders read
    /// each byte, and an early end is their error.
    pub whole: bool,
    /// Pictures of an animation, as far as the file goes.
    pub frames: usize,
    /// Scans of a progressive JPEG that have begun.
    pub scans: usize,
}

/// Walks through the file's parts.
pub fn walk(bytes: &[u8], format: ImageFormat) -> Walk {
    let found = |(whole, frames)| Walk { whole, frames, scans: 0 };
    match format {
        ImageFormat::Jpeg => jpeg(bytes),
        ImageFormat::Png => found(png(bytes)),
        ImageFormat::Gif => found(gif(bytes)),
        ImageFormat::WebP => found(webp(bytes)),
        _ => found((true, 1)),
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Segments have their length; what a scan holds reaches to the next marker (ITU T.81, annex B).
fn jpeg(bytes: &[u8]) -> Walk {
    let mut found = Walk { whole: false, frames: 1, scans: 0 };
    let mut progressive = false;
    let mut at = 2;
    while let Some(skipped) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == 0xff))
    {
        at += skipped;
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let Some(marker) = bytes.get(at) else { break };
        at += 1;
        match marker {
            // A byte of 255 in a scan, a restart, a beginning.
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            0xd9 => {
                found.whole = true;
                break;
            }
            0xc2 | 0xca => progressive = true,
            0xda => found.scans += usize::from(progressive),
            _ => {}
        }
        let Some(length) = number(bytes, at) else { break };
        at += usize::from(u16::from_be_bytes(length));
    }
    found
}

/// Chunks: length, type, data, checksum.
fn png(bytes: &[u8]) -> (bool, usize) {
    let (mut at, mut frames) = (8, 1);
    while let (Some(length), Some(kind)) = (number(bytes, at), number::<4>(bytes, at + 4)) {
        if &kind == b"acTL"
            && let Some(count) = number(bytes, at + 8)
        {
            frames = u32::from_be_bytes(count) as usize;
        }
        at = at.saturating_add(12).saturating_add(u32::from_be_bytes(length) as usize);
        if at > bytes.len() {
            break;
        }
        if &kind == b"IEND" {
            return (true, frames);
        }
    }
    (false, frames)
}

/// Blocks, whose data are sub-blocks of up to 255 bytes and an empty one.
fn gif(bytes: &[u8]) -> (bool, usize) {
    let colours = |packed: u8| if packed & 0x80 == 0 { 0 } else { 6 << (packed & 7) };
    let Some(packed) = bytes.get(10) else { return (false, 0) };
    let (mut at, mut frames) = (13 + colours(*packed), 0);
    loop {
        let header = match bytes.get(at) {
            Some(0x3b) => return (true, frames),
            Some(0x21) => 2,
            Some(0x2c) => {
                frames += 1;
                let Some(packed) = bytes.get(at + 9) else { return (false, frames) };
                // The descriptor, its colours, and the size of the codes.
                11 + colours(*packed)
            }
            // Filling.
            Some(0) => {
                at += 1;
                continue;
            }
            // Nothing that the format knows: the decoder says what it makes of it.
            Some(_) => return (true, frames),
            None => return (false, frames),
        };
        at += header;
        loop {
            let Some(length) = bytes.get(at) else { return (false, frames) };
            at += 1 + usize::from(*length);
            if *length == 0 {
                break;
            }
        }
    }
}

/// A RIFF file has its length in its header.
fn webp(bytes: &[u8]) -> (bool, usize) {
    let Some(length) = number(bytes, 4) else { return (false, 0) };
    let whole = bytes.len() as u64 >= 8 + u64::from(u32::from_le_bytes(length));
    let (mut at, mut frames) = (12_usize, 0);
    while let (Some(kind), Some(length)) = (number::<4>(bytes, at), number(bytes, at + 4)) {
        frames += usize::from(&kind == b"ANMF");
        let length = (u32::from_le_bytes(length) as usize).saturating_add(1) & !1;
        at = at.saturating_add(8).saturating_add(length);
    }
    (whole, frames.max(1))
}
