//! The format of the crate's own safetensors files: its version, and the network in the metadata.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::network::files::read::boxes_of;
use crate::numeric::Real;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The version of the format, which newer readers will count up.
const VERSION: u32 = 1;

/// A tensor to be written.
pub(crate) struct StoredTensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The bytes of a file of these tensors: the same for the same content.
pub(crate) fn serialize(
    tensors: &[StoredTensor],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let views = tensors.iter().map(|StoredTensor { name, dtype, shape, bytes }| {
        let view = TensorView::new(*dtype, shape.clone(), bytes)
            .map_err(|error| Error::file_because(name, error.to_string(), error))?;
        Ok((name, view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, Some(metadata.into_iter().collect()))
        .map_err(|error| Error::file_because("file", error.to_string(), error))?;
    sorted(bytes)
}

/// The same file with its header's keys in order, which a `HashMap` of metadata leaves to chance.
fn sorted(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let size = bytes.first_chunk().map_or(0, |size| u64::from_le_bytes(*size));
    let header = usize::try_from(size).ok().and_then(|size| bytes.get_mut(8..)?.get_mut(..size));
    let Some(header) = header else { return Ok(bytes) };
    let fields: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_slice(header).map_err(of_part("header"))?;
    let text = serde_json::to_string(&fields).map_err(of_part("header"))?;
    // What is left is padding.
    if let Some((begin, end)) = header.split_at_mut_checked(text.len()) {
        begin.copy_from_slice(text.as_bytes());
        end.fill(b' ');
    }
    Ok(bytes)
}

/// The file of these bytes.
pub(crate) fn parse(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let problem = format!("not a whole safetensors file: {error}");
        Error::file_because("file", problem, error)
    })
}

/// The metadata of a file, whose format is not newer than this crate.
pub(crate) fn read_metadata(bytes: &[u8]) -> Result<HashMap<String, String>> {
    let metadata = SafeTensors::read_metadata(bytes).ok();
    let metadata = metadata.and_then(|(_, header)| header.metadata().clone()).unwrap_or_default();
    let metadata: HashMap<_, _> = metadata.into_iter().collect();
    check_version(&metadata)?;
    Ok(metadata)
}

/// Checks that the format is not newer than this crate.
pub(super) fn check_version(metadata: &HashMap<String, String>) -> Result<()> {
    let version = metadata.get("wgrad").map(|version| version.parse::<u32>());
    match version {
        None | Some(Ok(0..=VERSION)) => Ok(()),
        Some(Ok(newer)) => {
            let problem = format!("of the format {newer}; this version reads {VERSION} and older");
            Err(Error::file("file", problem))
        }
        Some(Err(error)) => {
            Err(Error::file_because("file", format!("of no known format: {error}"), error))
        }
    }
}

/// What the metadata say of a network: the format's version, the network, and the box of each grid.
pub(crate) fn metadata(mlp: &Mlp) -> Result<HashMap<String, String>> {
    let network = serde_json::to_string(mlp).map_err(of_part("network"))?;
    let own = [("wgrad".into(), VERSION.to_string()), ("network".into(), network)];
    Ok(boxes_of(mlp).into_iter().chain(own).collect())
}

/// The network that the metadata describe.
pub(crate) fn network_of(metadata: &HashMap<String, String>) -> Result<Mlp> {
    let Some(network) = metadata.get("network") else {
        let problem = "does not describe its network; load it into a network of your own";
        return Err(Error::file("file", problem));
    };
    let mlp: Mlp = serde_json::from_str(network).map_err(of_part("network"))?;
    mlp.check()?;
    Ok(mlp)
}

/// An error of serde's about the JSON of a part of the metadata.
pub(crate) fn of_part(part: &str) -> impl Fn(serde_json::Error) -> Error {
    move |error| Error::file_because(part, error.to_string(), error)
}

/// The safetensors type of `T`.
pub(crate) const fn dtype<T: Real>() -> Dtype {
    if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 }
}
