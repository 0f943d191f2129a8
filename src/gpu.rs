//! The device, and how work gets onto it and results off it.

use crate::cast::{narrow, to_u32, wide};
use crate::kernels::{Access, Dispatch};
use crate::{Error, Result, Target};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A device and its queue: the application's, or ones made here.
///
/// A clone is the same device, and shares its compiled kernels. The crate never touches the
/// device-lost callback or the uncaptured-error handler; what it creates is created inside an
/// error scope of its own, so that a failure comes back as an [`Error`].
#[derive(Clone)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    target: Target,
    pipelines: Arc<Mutex<HashMap<String, Pipeline>>>,
    cache: Option<wgpu::PipelineCache>,
    lost: Arc<AtomicBool>,
}

/// A compiled kernel.
#[derive(Clone)]
pub(crate) struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
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

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({self})")
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wgpu::AdapterInfo { name, driver, driver_info, backend, .. } = &self.info;
        write!(f, "{name} ({backend:?}")?;
        for part in [driver, driver_info] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        write!(f, ")")
    }
}

impl Gpu {
    /// A device of one's own, on the adapter that is likely the fastest.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none.
    #[cfg(not(target_family = "wasm"))]
    pub fn new() -> Result<Self> {
        pollster::block_on(Self::new_async())
    }

    /// The same without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn new_async() -> Result<Self> {
        if wgpu::Instance::enabled_backend_features().is_empty() {
            return Err(Error::NoGpu("this build has no back end of wgpu".into()));
        }
        let instance = wgpu::Instance::default();
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance
            .request_adapter(&options)
            .await
            .map_err(|error| Error::NoGpu(error.to_string()))?;
        let offered = adapter.limits();
        // More than the defaults only in what lets a network be larger.
        let required_limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        }
        .or_worse_values_from(&offered);
        let mut wanted = wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
        if adapter.get_info().device_type == wgpu::DeviceType::Cpu {
            wanted |= wgpu::Features::SHADER_INT64;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgrad"),
            required_features: adapter.features() & wanted,
            required_limits,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::NoGpu(error.to_string()))?;
        Self::from_wgpu(&device, &queue)
    }

    /// The application's device and queue, whatever features and limits it asked for.
    ///
    /// # Errors
    /// [`Error::Limit`] where the device allows less than a kernel needs: 5 storage buffers a
    /// stage, and 64 invocations and 512 bytes of shared memory a workgroup.
    pub fn from_wgpu(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Self> {
        let limits = device.limits();
        for (limit, found, needed) in [
            (
                "max_storage_buffers_per_shader_stage",
                limits.max_storage_buffers_per_shader_stage,
                5,
            ),
            (
                "max_uniform_buffers_per_shader_stage",
                limits.max_uniform_buffers_per_shader_stage,
                2,
            ),
            (
                "max_compute_invocations_per_workgroup",
                limits.max_compute_invocations_per_workgroup,
                64,
            ),
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x, 64),
            ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size, 512),
            (
                "max_compute_workgroups_per_dimension",
                limits.max_compute_workgroups_per_dimension,
                1,
            ),
        ] {
            if found < needed {
                return Err(Error::Limit { limit, found: found.into(), needed: needed.into() });
            }
        }
        let info = device.adapter_info();
        let same = info.subgroup_min_size == info.subgroup_max_size;
        let subgroup = (same && device.features().contains(wgpu::Features::SUBGROUP))
            .then_some(info.subgroup_min_size);
        Ok(Self {
            device: device.clone(),
            queue: queue.clone(),
            target: Target {
                limits,
                software: info.device_type == wgpu::DeviceType::Cpu,
                subgroup,
                int64: device.features().contains(wgpu::Features::SHADER_INT64),
                product: None,
            },
            info,
            pipelines: Arc::default(),
            cache: None,
            lost: Arc::default(),
        })
    }

    /// The device.
    pub const fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The queue.
    pub const fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// What the adapter says of itself.
    pub const fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// What the device allows.
    pub const fn limits(&self) -> &wgpu::Limits {
        &self.target.limits
    }

    /// What a plan has to know of the device.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The same device, planned for as `target` says: as if it were hardware, or software, without
    /// subgroup operations, with one form of all matrix products. To compare what is made for
    /// other devices on this one. Its limits stay its own, and
    /// subgroups and integers of 64 bits can only be given up.
    #[must_use]
    pub fn planned_for(&self, target: &Target) -> Self {
        let own = &self.target;
        let subgroup = target.subgroup.filter(|size| own.subgroup == Some(*size));
        let int64 = target.int64 && own.int64;
        let target = Target { limits: own.limits.clone(), subgroup, int64, ..target.clone() };
        Self { target, ..self.clone() }
    }

    /// The same device, whose kernels are compiled through the application's pipeline cache: a
    /// later start of the application finds them there.
    #[must_use]
    pub fn with_pipeline_cache(mut self, cache: &wgpu::PipelineCache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// Tells this and all its clones, trainers and models that the device is lost: from now on
    /// their calls return [`Error::DeviceLost`] at once. To be called from the application's
    /// device-lost callback; without it the first call that needs the device finds out.
    ///
    /// ```no_run
    /// # fn on(gpu: &wgrad::Gpu, device: &wgpu::Device) {
    /// let lost = gpu.clone();
    /// device.set_device_lost_callback(move |_, _| lost.device_lost());
    /// # }
    /// ```
    pub fn device_lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Kernels compiled until now.
    pub fn compiled(&self) -> usize {
        lock(&self.pipelines).len()
    }

    /// Whether the adapter is a program on the CPU, such as llvmpipe or SwiftShader.
    pub fn is_software(&self) -> bool {
        self.target.software
    }

    /// The largest buffer that can be made and bound, in bytes.
    pub fn max_binding(&self) -> u64 {
        self.target.max_binding()
    }

    /// A buffer for storage that can be copied from and to, and bound as a uniform one where it is
    /// small enough, of at least four bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::OutOfMemory`].
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::UNIFORM
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        self.make_buffer(label, bytes, usage, self.max_binding())
    }

    fn make_buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
        allowed: u64,
    ) -> Result<wgpu::Buffer> {
        let size = bytes.max(4).next_multiple_of(4);
        if size > allowed {
            return Err(Error::TooLarge { what: label.into(), bytes, allowed });
        }
        self.guarded(label, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// What `make` returns, or what wgpu reported while it ran.
    pub(crate) fn guarded<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Error::DeviceLost);
        }
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let reported = [internal.pop(), validation.pop(), memory.pop()];
        // On the web errors arrive later; there they go to the application's handler as always.
        let now = |future| poll_once(future).flatten();
        match reported.into_iter().find_map(now) {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory(what.into())),
            Some(_) if self.is_lost() => Err(Error::DeviceLost),
            Some(error) => Err(Error::Wgpu { what: what.into(), message: error.to_string() }),
        }
    }

    /// Whether the device is lost. wgpu tells only the callback, which is the application's; but
    /// what a lost device creates is invalid without a report of its creation.
    fn is_lost(&self) -> bool {
        let report = |work: &dyn Fn()| {
            let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
            work();
            poll_once(scope.pop()).flatten().is_some()
        };
        let probe = std::cell::OnceCell::new();
        let refused = report(&|| {
            probe.get_or_init(|| {
                self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("probe"),
                    size: 4,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            });
        });
        let invalid = report(&|| {
            if let Some(probe) = probe.get() {
                probe.map_async(wgpu::MapMode::Read, .., |_| ());
            }
        });
        invalid && !refused
    }

    /// Writes `bytes` at `offset` before the next submission.
    ///
    /// # Errors
    /// [`Error::Shape`] where they do not fit.
    pub(crate) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.saturating_add(wide(bytes.len()));
        if end > buffer.size() || !bytes.len().is_multiple_of(4) || !offset.is_multiple_of(4) {
            return Err(Error::Shape {
                what: "what is written to a buffer".into(),
                found: bytes.len(),
                shape: vec![narrow(buffer.size().saturating_sub(offset))],
            });
        }
        if !bytes.is_empty() {
            self.guarded("a write", || self.queue.write_buffer(buffer, offset, bytes))?;
        }
        Ok(())
    }

    /// A uniform buffer that holds `bytes`.
    pub(crate) fn uniform(&self, label: &str, bytes: &[u8]) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer =
            self.make_buffer(label, wide(bytes.len()), usage, self.target.limits.max_buffer_size)?;
        self.write(&buffer, 0, bytes)?;
        Ok(buffer)
    }

    /// A storage buffer that holds `bytes`.
    pub(crate) fn buffer_with(&self, label: &str, bytes: &[u8]) -> Result<wgpu::Buffer> {
        let buffer = self.buffer(label, wide(bytes.len()))?;
        self.write(&buffer, 0, bytes)?;
        Ok(buffer)
    }

    /// The compiled form of a dispatch's kernel.
    fn pipeline(&self, dispatch: &Dispatch) -> Result<Pipeline> {
        let kernel = dispatch.kernel();
        let pieces: Vec<_> = dispatch.variant.pieces.iter().map(|piece| piece.name).collect();
        let (overrides, glue) = (dispatch.overrides(), &dispatch.variant.glue);
        let key = format!("{} {overrides:?} {pieces:?}\n{glue}", kernel.name);
        if let Some(pipeline) = lock(&self.pipelines).get(&key) {
            return Ok(pipeline.clone());
        }
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
                ty: match slot.access {
                    Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
                    Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
                    Access::ReadWrite => {
                        buffer(wgpu::BufferBindingType::Storage { read_only: false })
                    }
                    Access::Texture => wgpu::BindingType::StorageTexture {
                        access: wgpu::StorageTextureAccess::WriteOnly,
                        format: dispatch.texture_format(),
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
        let mut prepared = self.prepare_all(&[(dispatch, bindings)])?;
        prepared.pop().ok_or(Error::DeviceLost)
    }

    /// [`Gpu::prepare`] for several dispatches, whose parameters share one buffer.
    pub(crate) fn prepare_all(
        &self,
        dispatches: &[(&Dispatch, Vec<wgpu::BindingResource<'_>>)],
    ) -> Result<Vec<Prepared>> {
        let step = u64::from(self.target.limits.min_uniform_buffer_offset_alignment).max(16);
        let slot = |d: &Dispatch| wide(d.parameters.len()).next_multiple_of(step);
        let mut bytes = Vec::new();
        for (dispatch, _) in dispatches {
            let end = wide(bytes.len()) + slot(dispatch);
            bytes.extend_from_slice(&dispatch.parameters);
            bytes.resize(narrow(end), 0);
        }
        let uniform = self.uniform("parameters of dispatches", &bytes)?;
        let mut offset = 0;
        dispatches
            .iter()
            .map(|(dispatch, buffers)| {
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
                    grid: dispatch.grid(&self.target.limits)?,
                })
            })
            .collect()
    }

    /// Submits what `record` records.
    pub(crate) fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<()> {
        self.guarded("a submission", || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            record(&mut encoder);
            self.queue.submit([encoder.finish()]);
        })
    }

    /// Runs dispatches in order on buffers that hold `slots`, the kernel's without its parameters,
    /// and reads those back that one of them writes.
    pub(crate) async fn run_async(
        &self,
        dispatches: &[Dispatch],
        slots: &mut [Vec<u8>],
    ) -> Result<()> {
        let kernel = dispatches.first().map(Dispatch::kernel);
        let access = kernel.map_or(&[][..], |kernel| &kernel.slots[1..]);
        if access.len() != slots.len() {
            return Err(Error::argument(
                "the number of slots",
                slots.len(),
                access.len().to_string(),
            ));
        }
        let buffers = slots
            .iter()
            .zip(access)
            .map(|(bytes, slot)| match slot.access {
                Access::Uniform => self.uniform(slot.name, bytes),
                Access::Read | Access::ReadWrite => self.buffer_with(slot.name, bytes),
                Access::Texture => Err(Error::argument(
                    format!("the slot `{}`", slot.name),
                    "a texture",
                    "bytes of a buffer",
                )),
            })
            .collect::<Result<Vec<_>>>()?;
        let bound: Vec<_> = dispatches
            .iter()
            .map(|d| (d, buffers.iter().map(wgpu::Buffer::as_entire_binding).collect()))
            .collect();
        let prepared = self.prepare_all(&bound)?;
        self.submit(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            prepared.iter().for_each(|p| p.record(&mut pass));
        })?;
        for ((bytes, buffer), slot) in slots.iter_mut().zip(&buffers).zip(access) {
            if slot.access == Access::ReadWrite {
                let length = bytes.len();
                *bytes = self.read(buffer, 0, wide(length))?.await?;
            }
        }
        Ok(())
    }

    /// Starts to read `bytes` bytes of `buffer` from `offset` on, after all that was submitted.
    ///
    /// # Errors
    /// A range outside the buffer, no memory.
    pub(crate) fn read(&self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Readback> {
        if bytes == 0 {
            return Ok(Readback { gpu: self.clone(), staging: None, state: Arc::default() });
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging =
            self.make_buffer("a readback", bytes, usage, self.target.limits.max_buffer_size)?;
        self.submit(|encoder| encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes))?;
        let state: Arc<Mutex<Mapped>> = Arc::default();
        let shared = state.clone();
        self.guarded("a readback", || {
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                let mut state = lock(&shared);
                state.result = Some(result.is_ok());
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
            });
        })?;
        Ok(Readback { gpu: self.clone(), staging: Some(staging), state })
    }
}

impl Dispatch {
    /// Runs the dispatch by itself: `slots` are the bytes of the kernel's slots in their order,
    /// without the first, the parameters. Those that the kernel writes come back changed.
    ///
    /// # Errors
    /// Another number of slots than the kernel has, a device without room for them, a lost device.
    #[cfg(not(target_family = "wasm"))]
    pub fn run(&self, gpu: &Gpu, slots: &mut [Vec<u8>]) -> Result<()> {
        pollster::block_on(gpu.run_async(std::slice::from_ref(self), slots))
    }
}

/// A buffer, or the part of one that is meant.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub buffer: wgpu::Buffer,
    offset: u64,
    size: Option<NonZero<u64>>,
}

impl From<wgpu::Buffer> for Part {
    fn from(buffer: wgpu::Buffer) -> Self {
        Self { buffer, offset: 0, size: None }
    }
}

impl Part {
    /// The f32 of `shape` at the beginning of a slice of the application's.
    ///
    /// # Errors
    /// [`Error::Argument`] where it cannot be bound or is too short, [`Error::TooLarge`].
    pub fn new(
        gpu: &Gpu,
        what: &str,
        slice: wgpu::BufferSlice<'_>,
        shape: [usize; 3],
    ) -> Result<Self> {
        let bytes = shape.iter().fold(4, |all: u64, side| all.saturating_mul(wide(*side)));
        let (buffer, offset) = (slice.buffer(), slice.offset());
        check_usage(what, buffer, wgpu::BufferUsages::STORAGE)?;
        let step = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        if !offset.is_multiple_of(step.max(4)) {
            let what = format!("the offset of {what}");
            return Err(Error::argument(what, offset, format!("a multiple of {step}")));
        }
        if slice.size() < bytes {
            let what = format!("the bytes of {what}");
            return Err(Error::argument(what, slice.size(), format!("{bytes} or more")));
        }
        if bytes > gpu.max_binding() {
            let allowed = gpu.max_binding();
            return Err(Error::TooLarge { what: what.into(), bytes, allowed });
        }
        Ok(Self { buffer: buffer.clone(), offset, size: NonZero::new(bytes) })
    }

    pub fn binding(&self) -> wgpu::BufferBinding<'_> {
        wgpu::BufferBinding { buffer: &self.buffer, offset: self.offset, size: self.size }
    }
}

/// `Ok` if `buffer` was made for `usage`.
pub(crate) fn check_usage(
    what: &str,
    buffer: &wgpu::Buffer,
    usage: wgpu::BufferUsages,
) -> Result<()> {
    if !buffer.usage().contains(usage) {
        let what = format!("the usage of {what}");
        return Err(Error::argument(what, format!("{:?}", buffer.usage()), format!("{usage:?}")));
    }
    Ok(())
}

/// The largest storage buffer under `limits`.
pub(crate) fn max_binding(limits: &wgpu::Limits) -> u64 {
    // Shaders count elements in u32.
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u64::from(u32::MAX))
}

/// A readback under way.
///
/// Outside the web it drives the device when it is polled, and asks to be polled again: any
/// executor will do.
pub(crate) struct Readback {
    gpu: Gpu,
    staging: Option<wgpu::Buffer>,
    state: Arc<Mutex<Mapped>>,
}

#[derive(Default)]
struct Mapped {
    result: Option<bool>,
    waker: Option<Waker>,
    /// Looks in a row that found the queue empty.
    idle: u32,
}

/// Looks at an empty queue after which a readback is given up: a tenth of a second or more.
const MAX_IDLE: u32 = 2000;

impl Future for Readback {
    type Output = Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(staging) = &self.staging else {
            return Poll::Ready(Ok(Vec::new()));
        };
        if self.gpu.lost.load(Ordering::Relaxed) {
            return Poll::Ready(Err(Error::DeviceLost));
        }
        if cfg!(not(target_family = "wasm")) && lock(&self.state).result.is_none() {
            // Looks, and pauses a moment before it is asked again. Not a wait with a time limit: one
            // that runs out while another thread empties the queue panics in wgpu 30.0.1.
            let empty = match self.gpu.device.poll(wgpu::PollType::Poll) {
                Ok(status) => status.is_queue_empty(),
                Err(_) => return Poll::Ready(Err(Error::DeviceLost)),
            };
            let mut state = lock(&self.state);
            if state.result.is_none() {
                // Nothing is under way and still no answer: none will come.
                state.idle = if empty { state.idle + 1 } else { 0 };
                if state.idle > MAX_IDLE {
                    return Poll::Ready(Err(Error::DeviceLost));
                }
                drop(state);
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
        let mut state = lock(&self.state);
        match state.result {
            None => {
                state.waker = Some(context.waker().clone());
                if cfg!(not(target_family = "wasm")) {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Some(false) => Poll::Ready(Err(Error::DeviceLost)),
            Some(true) => {
                drop(state);
                let bytes = staging.get_mapped_range(..).map(|view| view.to_vec());
                staging.unmap();
                Poll::Ready(bytes.map_err(|_| Error::DeviceLost))
            }
        }
    }
}

/// A poisoned lock still guards whole values: each is written in one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The future's result if it is ready now.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The size of a status buffer: the fixed fields, and one word a model.
pub(crate) fn status_bytes(models: usize) -> Result<u64> {
    Ok(4 * u64::from(to_u32("the number of models", wide(models))?) + 16)
}
