//! Kernels compiled for a device, and dispatches bound to buffers.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Gpu, SNIPPET, lock};
use crate::kernels::step::count_rows::{self, CountRows};
use crate::kernels::{Access, Dispatch, Variant};
use crate::numeric::{narrow, wide};
use crate::training::Hyper;
use crate::wgsl::PieceKind;
use std::collections::HashMap;
use std::num::NonZero;

/// A compiled kernel.
#[derive(Clone)]
pub(crate) struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Kernels compiled for a device.
pub(crate) struct Pipelines<P = Pipeline> {
    /// Each with the time of its last use, counted in uses.
    kept: HashMap<String, (P, u64)>,
    uses: u64,
    /// All that were ever compiled.
    pub compiled: usize,
}

/// The number of kernels that are kept.
const MAX_KEPT: usize = 256;

impl<P> Default for Pipelines<P> {
    fn default() -> Self {
        Self { kept: HashMap::new(), uses: 0, compiled: 0 }
    }
}

impl<P: Clone> Pipelines<P> {
    fn get(&mut self, key: &str) -> Option<P> {
        self.uses += 1;
        let (pipeline, used) = self.kept.get_mut(key)?;
        *used = self.uses;
        Some(pipeline.clone())
    }

    /// Keeps a kernel that was just compiled, in the place of the one that was not used the longest.
    fn insert(&mut self, key: String, pipeline: P) {
        if self.kept.len() >= MAX_KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.kept.remove(&oldest);
            }
        }
        self.uses += 1;
        self.compiled += 1;
        self.kept.insert(key, (pipeline, self.uses));
    }
}

/// A dispatch with its buffers, ready to be recorded any number of times.
#[derive(Debug, Clone)]
pub struct Prepared {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    grid: [u32; 2],
}

impl Prepared {
    /// Records the dispatch into a compute pass: no submit, no allocation.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], 1);
    }
}

impl Gpu {
    /// The compiled form of a dispatch's kernel.
    fn pipeline(&self, dispatch: &Dispatch) -> Result<Pipeline> {
        let kernel = dispatch.kernel();
        let pieces: Vec<_> = dispatch.variant.pieces.iter().map(|piece| piece.name).collect();
        let Variant { generated, overrides, kinds, uniform, workgroup, textures, .. } =
            &dispatch.variant;
        let key = format!(
            "{} {overrides:?} {pieces:?} {kinds:?} {uniform:?} {workgroup:?} {textures:?}\n{generated}",
            kernel.name
        );
        if let Some(pipeline) = lock(&self.pipelines).get(&key) {
            return Ok(pipeline);
        }
        check_limits(dispatch, self.limits())?;
        self.check_snippets(dispatch)?;
        let pipeline = self.guarded(&format!("the kernel {}", kernel.name), || {
            let layout = self.layout(dispatch);
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(kernel.name),
                source: wgpu::ShaderSource::Wgsl(dispatch.wgsl().into()),
            });
            let pipeline_layout =
                self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some(kernel.name),
                    bind_group_layouts: &[Some(&layout)],
                    immediate_size: 0,
                });
            let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(kernel.name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: dispatch.overrides(),
                    // Every element is written before it is read.
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.cache.as_ref(),
            });
            Pipeline { pipeline, layout }
        })?;
        lock(&self.pipelines).insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// Compiles each of the application's own texts by itself, so that an error shows it alone.
    fn check_snippets(&self, dispatch: &Dispatch) -> Result<()> {
        for piece in &dispatch.variant.pieces {
            let PieceKind::Snippets(functions) = piece.kind else { continue };
            for (what, text) in functions {
                let descriptor = wgpu::ShaderModuleDescriptor {
                    label: Some(what),
                    source: wgpu::ShaderSource::Wgsl((*text).into()),
                };
                self.guarded(&format!("{SNIPPET}{what}"), || {
                    self.device.create_shader_module(descriptor)
                })?;
            }
        }
        Ok(())
    }

    fn layout(&self, dispatch: &Dispatch) -> wgpu::BindGroupLayout {
        let kernel = dispatch.kernel();
        let buffer = |ty| wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let entries: Vec<_> = kernel
            .slots
            .iter()
            .zip(0..)
            .map(|(slot, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: match dispatch.access(slot) {
                    Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
                    Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
                    Access::ReadWrite => {
                        buffer(wgpu::BufferBindingType::Storage { read_only: false })
                    }
                    Access::Texture => wgpu::BindingType::StorageTexture {
                        access: wgpu::StorageTextureAccess::WriteOnly,
                        format: dispatch.texture_format(slot),
                        view_dimension: wgpu::TextureViewDimension::D2Array,
                    },
                },
                count: None,
            })
            .collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.name),
            entries: &entries,
        })
    }

    /// Compiles a dispatch's kernel and binds it to `buffers`, or slices of them: the kernel's slots
    /// in their order, without the first, the parameters, which are uploaded here.
    ///
    /// # Errors
    /// Too few or too many buffers, one that is bound for writing and used twice, a grid that the
    /// device does not allow, or what wgpu refuses.
    pub fn prepare(
        &self,
        dispatch: &Dispatch,
        buffers: &[wgpu::BufferBinding<'_>],
    ) -> Result<Prepared> {
        let bindings = buffers.iter().cloned().map(wgpu::BindingResource::Buffer).collect();
        let mut prepared = self.prepare_all(&[(dispatch, bindings)], None)?;
        self.check_present()?;
        prepared.pop().ok_or(Error::DeviceLost)
    }

    /// [`Gpu::prepare`] for several dispatches, whose parameters share one buffer. With a count of
    /// rows, one more dispatch comes first, which bounds the rows of the others.
    pub(crate) fn prepare_all(
        &self,
        dispatches: &[(&Dispatch, Vec<wgpu::BindingResource<'_>>)],
        count: Option<&Count>,
    ) -> Result<Vec<Prepared>> {
        let step = u64::from(self.capabilities.limits.min_uniform_buffer_offset_alignment).max(16);
        let slot = |d: &Dispatch| wide(d.parameters.len()).next_multiple_of(step);
        let (mut bytes, mut table) = (Vec::new(), Vec::new());
        for (dispatch, _) in dispatches {
            let begin = wide(bytes.len());
            for word in &dispatch.counted {
                table.extend(count_rows::row(*word, begin, &dispatch.parameters)?);
            }
            let end = begin + slot(dispatch);
            bytes.extend_from_slice(&dispatch.parameters);
            bytes.resize(narrow(end), 0);
        }
        let label = "parameters of dispatches";
        let (uniform, counting) = match count {
            None => (self.uniform(label, &bytes)?, None),
            Some(count) => {
                let uniform = self.buffer_with(label, &bytes)?;
                let counting = self.counting(count, &table, &uniform)?;
                (uniform, Some(counting))
            }
        };
        let mut offset = 0;
        let prepared = dispatches.iter().map(|(dispatch, buffers)| {
            let kernel = dispatch.kernel();
            if buffers.len() + 1 != kernel.slots.len() {
                return Err(Error::argument(
                    format!("the number of buffers of {}", kernel.name),
                    buffers.len(),
                    (kernel.slots.len() - 1).to_string(),
                ));
            }
            for (i, slot) in kernel.slots[1..].iter().enumerate() {
                let buffer = |j: usize| match &buffers[j] {
                    wgpu::BindingResource::Buffer(binding) => Some(binding.buffer),
                    _ => None,
                };
                let twice = (0..buffers.len())
                    .any(|j| i != j && buffer(i).is_some() && buffer(j) == buffer(i));
                if slot.access == Access::ReadWrite && twice {
                    return Err(Error::argument(
                        format!("the buffer `{}` of {}", slot.name, kernel.name),
                        "bound twice",
                        "a buffer that is written is bound once",
                    ));
                }
            }
            let pipeline = self.pipeline(dispatch)?;
            let parameters = wgpu::BufferBinding {
                buffer: &uniform,
                offset,
                size: NonZero::new(wide(dispatch.parameters.len())),
            };
            offset += slot(dispatch);
            let mut entries = vec![wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(parameters),
            }];
            for (buffer, binding) in buffers.iter().zip(1..) {
                entries.push(wgpu::BindGroupEntry { binding, resource: buffer.clone() });
            }
            let group = self.guarded(kernel.name, || {
                self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(kernel.name),
                    layout: &pipeline.layout,
                    entries: &entries,
                })
            })?;
            Ok(Prepared {
                pipeline: pipeline.pipeline,
                group,
                grid: dispatch.grid(&self.capabilities.limits)?,
            })
        });
        counting.into_iter().map(Ok).chain(prepared).collect()
    }

    /// The dispatch that bounds the rows of those whose parameters are in `words`.
    fn counting(&self, count: &Count, table: &[u32], words: &wgpu::Buffer) -> Result<Prepared> {
        let dispatch = CountRows { words: table.len() / 6, most: count.most }.dispatch()?;
        let table = self.buffer_with("words that depend on rows", bytemuck::cast_slice(table))?;
        let bindings = [
            count.range.binding(),
            table.as_entire_buffer_binding(),
            words.as_entire_buffer_binding(),
        ];
        let bindings = bindings.into_iter().map(wgpu::BindingResource::Buffer).collect();
        let prepared = self.prepare_all(&[(&dispatch, bindings)], None)?;
        prepared.into_iter().next().ok_or_else(|| Error::Internal("no dispatch".into()))
    }
}

/// A number of rows, a `u32` in a buffer of the application's.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub range: BufferRange,
    /// The largest number of rows.
    pub most: usize,
}

/// Checks that the device's limits allow a dispatch's kernel.
///
/// # Errors
/// [`Error::Limit`] names the first limit that is too low.
fn check_limits(dispatch: &Dispatch, limits: &wgpu::Limits) -> Result<()> {
    let slots = dispatch.kernel().slots;
    let accesses = || slots.iter().map(|slot| dispatch.access(slot));
    let count = |kinds: &[Access]| wide(accesses().filter(|access| kinds.contains(access)).count());
    let uniform = wide(dispatch.parameters.len().max(size_of::<Hyper>()));
    let workgroup = u64::from(dispatch.workgroup());
    for (limit, found, needed) in [
        ("max_bind_groups", limits.max_bind_groups.into(), 1),
        (
            "max_bindings_per_bind_group",
            limits.max_bindings_per_bind_group.into(),
            wide(slots.len()),
        ),
        (
            "max_storage_buffers_per_shader_stage",
            limits.max_storage_buffers_per_shader_stage.into(),
            count(&[Access::Read, Access::ReadWrite]),
        ),
        (
            "max_uniform_buffers_per_shader_stage",
            limits.max_uniform_buffers_per_shader_stage.into(),
            count(&[Access::Uniform]),
        ),
        (
            "max_storage_textures_per_shader_stage",
            limits.max_storage_textures_per_shader_stage.into(),
            count(&[Access::Texture]),
        ),
        ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size, uniform),
        (
            "max_compute_invocations_per_workgroup",
            limits.max_compute_invocations_per_workgroup.into(),
            workgroup,
        ),
        ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into(), workgroup),
        ("max_compute_workgroup_size_y", limits.max_compute_workgroup_size_y.into(), 1),
        ("max_compute_workgroup_size_z", limits.max_compute_workgroup_size_z.into(), 1),
    ] {
        if found < needed {
            return Err(Error::Limit { limit, found, needed });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// An application that makes networks for ever: kernels that were not used for long are freed.
    #[test]
    fn compiled_kernels_are_bounded() {
        let mut pipelines = Pipelines::default();
        let made = Arc::new(());
        pipelines.insert("in use".into(), made.clone());
        for i in 0..10 * MAX_KEPT {
            pipelines.insert(i.to_string(), made.clone());
            assert!(Arc::strong_count(&made) <= 1 + MAX_KEPT);
            assert!(pipelines.get("in use").is_some());
            assert!(pipelines.get(&i.saturating_sub(MAX_KEPT / 4).to_string()).is_some());
        }
        assert!(pipelines.get("0").is_none());
        assert_eq!(pipelines.compiled, 10 * MAX_KEPT + 1);
    }
}
