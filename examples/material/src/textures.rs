//! A material in textures, with all mip levels.

use crate::draw::Surface;
use crate::material::Material;
use wgrad::Gpu;

const TEXT: &str = include_str!("shaders/textures.wgsl");

/// Which channels a texture holds. `textures.wgsl` takes them apart.
const PARTS: [(wgpu::TextureFormat, &[usize]); 3] = [
    (wgpu::TextureFormat::Rgba8Unorm, &[0, 1, 2, 5]),
    (wgpu::TextureFormat::Rgba8Unorm, &[3, 4, 6, 7]),
    (wgpu::TextureFormat::R8Unorm, &[8]),
];

/// The textures and what binds them.
pub struct Textures {
    layout: wgpu::BindGroupLayout,
    group: wgpu::BindGroup,
    size: usize,
    levels: usize,
}

impl Textures {
    pub fn new(gpu: &Gpu, material: &Material) -> Self {
        let views = PARTS.map(|part| {
            let texture = uploaded(gpu, material, part);
            texture.create_view(&Default::default())
        });
        let sampler = filter(gpu);
        let mut resources: Vec<_> = views.iter().map(wgpu::BindingResource::TextureView).collect();
        resources.push(wgpu::BindingResource::Sampler(&sampler));
        let (layout, group) = bound(gpu, wgpu::BufferBindingType::Uniform, &resources);
        Self { layout, group, size: material.size(), levels: material.levels.len() }
    }

    pub fn surface(&self) -> Surface<'_> {
        let Self { layout, group, size, levels } = self;
        Surface { text: TEXT, layout, group, size: *size, levels: *levels }
    }
}

/// A sampler that repeats, linear between texels and between levels.
pub fn filter(gpu: &Gpu) -> wgpu::Sampler {
    gpu.device().create_sampler(&wgpu::SamplerDescriptor {
        label: Some("material"),
        address_mode_u: wgpu::AddressMode::Repeat,
        address_mode_v: wgpu::AddressMode::Repeat,
        mag_filter: wgpu::FilterMode::Linear,
        min_filter: wgpu::FilterMode::Linear,
        mipmap_filter: wgpu::MipmapFilterMode::Linear,
        ..Default::default()
    })
}

/// What a fragment shader reads, bound in order. Buffers are storage or uniform ones.
pub fn bound(
    gpu: &Gpu,
    buffers: wgpu::BufferBindingType,
    resources: &[wgpu::BindingResource<'_>],
) -> (wgpu::BindGroupLayout, wgpu::BindGroup) {
    let entries: Vec<_> = (0..).zip(resources).map(|(i, of)| entry(i, buffers, of)).collect();
    let layout = gpu.device().create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("material"),
        entries: &entries,
    });
    let entries: Vec<_> = (0..)
        .zip(resources)
        .map(|(binding, of)| wgpu::BindGroupEntry { binding, resource: of.clone() })
        .collect();
    let group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("material"),
        layout: &layout,
        entries: &entries,
    });
    (layout, group)
}

/// How a fragment shader binds a resource.
fn entry(
    binding: u32,
    buffers: wgpu::BufferBindingType,
    of: &wgpu::BindingResource<'_>,
) -> wgpu::BindGroupLayoutEntry {
    let ty = match of {
        wgpu::BindingResource::Buffer(_) => wgpu::BindingType::Buffer {
            ty: buffers,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        wgpu::BindingResource::Sampler(_) => {
            wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)
        }
        _ => wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty,
        count: None,
    }
}

fn uploaded(
    gpu: &Gpu,
    material: &Material,
    (format, channels): (wgpu::TextureFormat, &[usize]),
) -> wgpu::Texture {
    let byte = |value: f32| (255.0 * value).round() as u8;
    let levels: Vec<Vec<u8>> = material
        .levels
        .iter()
        .map(|level| {
            let texels = level.texels.iter();
            texels.flat_map(|t| channels.iter().map(|channel| byte(t[*channel]))).collect()
        })
        .collect();
    let levels = levels.iter().map(Vec::as_slice);
    uploaded_bytes(gpu, material.size() as u32, format, levels)
}

/// A texture of `side` texels a side from the bytes of its mip levels.
pub fn uploaded_bytes<'a>(
    gpu: &Gpu,
    side: u32,
    format: wgpu::TextureFormat,
    levels: impl ExactSizeIterator<Item = &'a [u8]>,
) -> wgpu::Texture {
    let extent = |side| wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: Some("material"),
        size: extent(side),
        mip_level_count: levels.len() as u32,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    for (number, bytes) in (0..).zip(levels) {
        let side = side >> number;
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some((bytes.len() / side as usize) as u32),
            rows_per_image: None,
        };
        let to = wgpu::TexelCopyTextureInfo { mip_level: number, ..texture.as_image_copy() };
        gpu.queue().write_texture(to, bytes, layout, extent(side));
    }
    texture
}
