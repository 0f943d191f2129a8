//! What a file is that is no file of tensors, by its first bytes.

/// Says what `bytes` are if they are surely neither safetensors nor `.npz`.
pub(super) fn foreign(bytes: &[u8]) -> Option<String> {
    // A safetensors file begins with the length of its header, 8 bytes of which the last is 0, and `{`.
    if bytes.get(7..9) == Some(b"\0{") {
        return None;
    }
    let begins = |with: &[u8]| bytes.starts_with(with);
    let head = &bytes[..bytes.len().min(1 << 16)];
    let holds = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let save = "save it as safetensors: safetensors.torch.save_file(model.state_dict(), path)";
    let what = match bytes {
        [] => "is empty".to_owned(),
        _ if begins(b"version https://git-lfs") => {
            "is a Git LFS pointer, not the file itself: `git lfs pull` fetches that".into()
        }
        [0x80, 2..=5, ..] => format!("is a Python pickle, which may run code when it is read; {save}"),
        _ if begins(b"PK") && (holds(b"/data.pkl") || holds(b"data.pkl")) => {
            format!("is a PyTorch file (a zip with a pickle), which may run code when it is read; {save}")
        }
        _ if begins(b"PK") && holds(b"model.weights.h5") => {
            "is a Keras file (a zip with HDF5); save its arrays by numpy.savez or as safetensors".into()
        }
        _ if begins(b"PK") => return None,
        _ if begins(b"\x89HDF") => {
            "is an HDF5 file, as Keras writes; save its arrays by numpy.savez or as safetensors".into()
        }
        _ if begins(b"\x93NUMPY") => {
            "is a single NumPy array (.npy); numpy.savez writes arrays with their names".into()
        }
        _ if begins(b"GGUF") => "is a GGUF file".into(),
        _ if begins(b"\x1f\x8b") => "is compressed by gzip".into(),
        _ if begins(b"\x28\xb5\x2f\xfd") => "is compressed by zstd".into(),
        _ if begins(b"\x89PNG") || begins(b"\xff\xd8\xff") => "is a picture".into(),
        _ if bytes.get(257..262) == Some(b"ustar") => "is a tar archive".into(),
        // An ONNX file: its version, then who has written it or the graph.
        [8, 1..=20, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..] => {
            "looks like an ONNX file: `Parameters::load_onnx` reads those (feature `onnx`)".into()
        }
        [0x81..=0x8f, 0xa1..=0xbf, ..] | [0xde, _, _, 0xa1..=0xbf, ..] => {
            "looks like MessagePack, as flax writes; save its arrays by numpy.savez or as safetensors"
                .into()
        }
        _ if matches!(first, Some(b'{' | b'[')) => "looks like JSON".into(),
        _ if first == Some(&b'<') => "looks like HTML or XML: a page, perhaps, in the place of a download".into(),
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "is text".into()
        }
        _ => return None,
    };
    Some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_named() {
        let mut tar = vec![b'a'; 512];
        tar[100..140].fill(0);
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], &str); 17] = [
            (b"", "is empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS"),
            (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}", "is a Python pickle"),
            (b"PK\x03\x04\0\0model/data.pkl\0", "is a PyTorch file"),
            (b"PK\x03\x04\0\0model.weights.h5\0", "is a Keras file"),
            (b"\x89HDF\r\n\x1a\n\0", "is an HDF5"),
            (b"\x93NUMPY\x01\0v\0", "is a single NumPy array"),
            (b"GGUF\x03\0\0\0", "is a GGUF"),
            (b"\x1f\x8b\x08\0", "is compressed by gzip"),
            (b"\x08\x08\x12\x05wgrad", "looks like an ONNX"),
            (b"\x81\xa6params\x82", "looks like MessagePack"),
            (b"  {\"layers\": []}", "looks like JSON"),
            (b"{\"abc\": {\"x\": 1}}", "looks like JSON"),
            (b"[1, 2]", "looks like JSON"),
            (b"<!DOCTYPE html>", "looks like HTML"),
            (b"0.1, 0.2\n", "is text"),
            (&tar, "is a tar archive"),
        ];
        for (bytes, words) in cases {
            let found = foreign(bytes).unwrap_or_default();
            assert!(found.starts_with(words), "{words}: {found}");
        }
        // Files of tensors, whatever the length of their header.
        for length in [0x80_u64, 0x0480, 0x4b50, 0x7b, 0x0881] {
            let file = [&length.to_le_bytes()[..], b"{\"a\":"].concat();
            assert_eq!(foreign(&file), None, "{length}");
        }
        assert_eq!(foreign(b"PK\x03\x04\0\0layers.0.weight.npy"), None);
    }
}
