//! NumPy's `.npz`: a zip of arrays, each in the format that `numpy.lib.format` describes (feature
//! `npz`).

use crate::error::{Error, Result};
use crate::network::files::weights::{ElementType, Tensor, Weights};
use crate::numeric::{wide, with_room};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

/// Reads the arrays of a zip file. Their names are those of its entries without `.npy`.
pub(super) fn read(origin: &str, bytes: &[u8]) -> Result<Weights<'static>> {
    let not_whole = |error: zip::result::ZipError| {
        Error::file_because(origin, format!("not a whole .npz (zip) file: {error}"), error)
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(not_whole)?;
    let (mut all, mut tensors) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(not_whole)?;
        let name = entry.name().map_err(not_whole)?.into_owned();
        let Some(array) = name.strip_suffix(".npy") else {
            let problem = format!("holds {name}, which is no NumPy array");
            return Err(Error::file(origin, problem));
        };
        let place = format!("{origin}: {array}");
        // Deflate makes at most 1032 bytes of one: what is allocated belongs to the file.
        let (size, packed) = (entry.size(), entry.compressed_size());
        if packed > wide(bytes.len()) || size > packed.saturating_mul(1032).saturating_add(64) {
            return Err(Error::file(
                place,
                format!("claims to have {size} bytes, packed in {packed}"),
            ));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut data = with_room("an array", size)?;
        let read = entry.by_ref().take(wide(size)).read_to_end(&mut data);
        read.map_err(|error| {
            Error::file_because(&place, format!("cannot be unpacked: {error}"), error)
        })?;
        let (tensor, data) =
            array_of(array, &data, all.len()).map_err(|problem| Error::file(&place, problem))?;
        all.extend_from_slice(&data);
        tensors.push(tensor);
    }
    Weights::new(origin, Cow::Owned(all), tensors, HashMap::new())
}

/// One array, and its elements in row-major order and little-endian. `first` is where its bytes will
/// lie.
fn array_of<'d>(
    name: &str,
    data: &'d [u8],
    first: usize,
) -> Result<(Tensor, Cow<'d, [u8]>), String> {
    let (header, data) = split(data).ok_or("is no whole NumPy array")?;
    let value = |key| value_of(header, key).ok_or_else(|| format!("has no {key} in its header"));
    let descr = value("descr")?;
    let shape = numbers(value("shape")?).ok_or("has a shape that is none")?;
    let fortran = match value("fortran_order")?.split([',', '}']).next().map(str::trim) {
        Some("True") => true,
        Some("False") => false,
        _ => return Err("has a fortran_order that is neither True nor False".into()),
    };
    let descr = text(descr).unwrap_or("a record");
    let element_type = match descr.trim_start_matches(['<', '>', '=', '|']) {
        "f2" => ElementType::F16,
        "f4" => ElementType::F32,
        "f8" => ElementType::F64,
        // What Python objects are stored as is a pickle.
        _ => ElementType::Other(descr.into()),
    };
    let size = element_type.size();
    let mut tensor = Tensor { name: name.into(), shape, element_type, bytes: first..first };
    if size == 0 {
        return Ok((tensor, Cow::Borrowed(&[])));
    }
    let elements = tensor.elements().and_then(|elements| elements.checked_mul(size));
    if elements != Some(data.len()) {
        let (found, shape) = (data.len(), &tensor.shape);
        return Err(format!("has {found} bytes, which is not the shape {shape:?} of {descr}"));
    }
    tensor.bytes = first..first + data.len();
    let mut data = Cow::Borrowed(data);
    if descr.starts_with('>') {
        data.to_mut().chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    if fortran && tensor.shape.len() > 1 {
        data = Cow::Owned(row_major(&data, &tensor.shape, size));
    }
    Ok((tensor, data))
}

/// The header's text and what follows it.
fn split(data: &[u8]) -> Option<(&str, &[u8])> {
    let rest = data.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_at_checked(2)?;
    let length = if version[0] == 1 { 2 } else { 4 };
    let (length, rest) = rest.split_at_checked(length)?;
    let length = length.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte));
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// What follows a key of the header, a literal of Python: `{'descr': '<f4', 'fortran_order': …}`.
fn value_of<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let (at, quoted) = quoted.iter().find_map(|q| header.find(q.as_str()).map(|at| (at, q)))?;
    Some(header[at + quoted.len()..].trim_start().strip_prefix(':')?.trim_start())
}

/// A text in quotes.
fn text(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    value[1..].split(quote).next()
}

/// A tuple of whole numbers.
fn numbers(value: &str) -> Option<Vec<usize>> {
    let (inside, _) = value.strip_prefix('(')?.split_once(')')?;
    // `(3,)` is the tuple of one; Python 2 wrote `3L`.
    let parts = inside.split(',').map(|part| part.trim().trim_end_matches('L'));
    parts.filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// The elements in row-major order of an array whose first axis varies fastest.
fn row_major(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = vec![size; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let (mut sorted, mut index, mut at) = (Vec::with_capacity(data.len()), vec![0; shape.len()], 0);
    while sorted.len() < data.len() {
        sorted.extend_from_slice(&data[at..at + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn arrays_are_read_in_every_order_of_bytes_and_axes() {
        let floats: Vec<f32> = (0..6).map(|i| i as f32).collect();
        let little: Vec<u8> = floats.iter().flat_map(|v| v.to_le_bytes()).collect();
        let big: Vec<u8> = floats.iter().flat_map(|v| v.to_be_bytes()).collect();
        // The columns of [[0, 1, 2], [3, 4, 5]], one after the other.
        let columns: Vec<u8> =
            [0, 3, 1, 4, 2, 5].iter().flat_map(|i| floats[*i as usize].to_le_bytes()).collect();
        for (descr, fortran, data) in
            [("'<f4'", "False", &little), ("'>f4'", "False", &big), ("\"<f4\"", "True", &columns)]
        {
            let file = array(descr, fortran, "(2, 3)", data);
            let (tensor, read) = array_of("w", &file, 8).unwrap();
            assert_eq!((tensor.shape(), tensor.element_type()), (&[2, 3][..], "F32"));
            assert_eq!((tensor.bytes, &read[..]), (8..32, &little[..]), "{descr} {fortran}");
        }
        // Three axes.
        let shape = [2, 3, 4];
        let of = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as u8;
        let all = |fortran: bool| -> Vec<u8> {
            let index = |n: usize| match fortran {
                true => of(n % 2, n / 2 % 3, n / 6),
                false => of(n / 12, n / 4 % 3, n % 4),
            };
            (0..24).map(index).collect()
        };
        assert_eq!(row_major(&all(true), &shape, 1), all(false));
    }

    #[test]
    fn arrays_that_are_none_are_refused() {
        let good = array("'<f4'", "False", "(3,)", &[0; 12]);
        assert!(array_of("w", &good, 0).is_ok());
        for end in 0..good.len() {
            assert!(array_of("w", &good[..end], 0).is_err(), "{end}");
        }
        for (descr, fortran, shape, words) in [
            ("'<f4'", "False", "(4,)", "has 12 bytes"),
            ("'<f4'", "Maybe", "(3,)", "has a fortran_order"),
            ("'<f4'", "False", "(-3,)", "has a shape that is none"),
            ("'<f4'", "False", "3", "has a shape that is none"),
            ("'<f4'", "False", "(99999999999, 99999999999)", "has 12 bytes"),
        ] {
            let error = array_of("w", &array(descr, fortran, shape, &[0; 12]), 0).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
        // Types that no weight has are kept by name.
        for (descr, name) in [("'<i8'", "<i8"), ("'|O'", "|O"), ("[('a', '<f4')]", "a record")] {
            let file = array(descr, "False", "(3,)", &[0; 12]);
            assert_eq!(array_of("w", &file, 0).unwrap().0.element_type(), name);
        }
    }
}
