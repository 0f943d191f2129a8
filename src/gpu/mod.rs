//! The device, and how work gets onto it and results off it.

#[cfg(not(target_family = "wasm"))]
mod blocking;
mod bound;
mod pipeline;
mod range;
mod readback;
mod reports;
mod run;

#[cfg(not(target_family = "wasm"))]
pub(crate) use blocking::blocking;
pub(crate) use bound::{Buffers, Program, bind, find, make_buffers, prepare, record};
pub(crate) use pipeline::Count;
pub use pipeline::Prepared;
pub(crate) use range::{BufferRange, check_usage};

use crate::error::{Error, Result};
use crate::kernels::Capabilities;
use crate::numeric::{narrow, wide};
use pipeline::Pipelines;
use reports::Reports;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A device and its queue: the application's, or ones made here.
///
/// A clone is the same device, and shares its compiled kernels. The crate never touches an
/// application's device-lost callback or uncaptured-error handler. What it creates is created inside
/// an error scope of its own, so that a failure comes back as an [`Error`].
///
/// A browser reports errors late. There the next call that waits for the GPU returns what was
/// reported until then, and [`Gpu::check_async`] asks for it.
#[derive(Clone)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    capabilities: Capabilities,
    pipelines: Arc<Mutex<Pipelines>>,
    cache: Option<wgpu::PipelineCache>,
    lost: LostHandle,
    reports: Arc<Mutex<Reports>>,
}

/// How a report's name begins where the application's own WGSL is compiled: what is wrong with it is
/// not a defect of this crate, early or late.
const SNIPPET: &str = "WGSL of ";

/// Tells a [`Gpu`], its clones, trainers and models that the device is lost. It may be sent to
/// another thread, in a browser too.
#[derive(Debug, Clone, Default)]
pub struct LostHandle(Arc<AtomicBool>);

impl LostHandle {
    /// The device is lost: from now on all calls return [`Error::DeviceLost`] at once.
    pub fn device_lost(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({self})")
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wgpu::AdapterInfo { name, driver, driver_info, backend, vendor, .. } = &self.info;
        // A browser tells no name.
        match (name.is_empty(), vendor_name(*vendor)) {
            (false, Some(vendor)) if !name.to_lowercase().contains(&vendor.to_lowercase()) => {
                write!(f, "{vendor} {name} ({backend:?}")?;
            }
            (false, _) => write!(f, "{name} ({backend:?}")?,
            (true, vendor) => write!(f, "{} ({backend:?}", vendor.unwrap_or("unnamed GPU"))?,
        }
        for part in [driver, driver_info] {
            if !part.is_empty() {
                write!(f, ", {part}")?;
            }
        }
        write!(f, ")")
    }
}

/// The name of a vendor by its number, as PCI or Khronos give it out.
const fn vendor_name(vendor: u32) -> Option<&'static str> {
    Some(match vendor {
        0x1002 | 0x1022 => "AMD",
        0x1010 => "Imagination",
        0x106b => "Apple",
        0x10de => "NVIDIA",
        0x13b5 => "Arm",
        0x1414 => "Microsoft",
        0x14e4 => "Broadcom",
        0x1ae0 => "Google",
        0x5143 => "Qualcomm",
        0x8086 => "Intel",
        0x10005 => "Mesa",
        _ => return None,
    })
}

impl Gpu {
    /// Makes a device of one's own, on the adapter that is likely the fastest.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none.
    #[cfg(not(target_family = "wasm"))]
    pub fn new() -> Result<Self> {
        pollster::block_on(Self::new_async())
    }

    /// [`Gpu::new`] without blocking.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none.
    pub async fn new_async() -> Result<Self> {
        let adapter = Self::fastest_adapter(&wgpu::Instance::default()).await?;
        Self::of_adapter(&adapter).await
    }

    /// A device on every adapter of the machine, hardware or not, that the back end of [`Gpu::new`]
    /// reaches: another back end would show the same ones again. An adapter without what a kernel
    /// needs is left out.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none.
    #[cfg(not(target_family = "wasm"))]
    pub fn all() -> Result<Vec<Self>> {
        let instance = wgpu::Instance::default();
        let fastest = pollster::block_on(Self::fastest_adapter(&instance))?;
        let adapters = instance.enumerate_adapters(fastest.get_info().backend.into());
        let adapters = pollster::block_on(adapters).into_iter();
        Ok(adapters.filter_map(|one| pollster::block_on(Self::of_adapter(&one)).ok()).collect())
    }

    async fn fastest_adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter> {
        if wgpu::Instance::enabled_backend_features().is_empty() {
            return Err(Error::NoGpu("this build has no back end of wgpu".into()));
        }
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await;
        adapter.map_err(|error| Error::NoGpu(error.to_string()))
    }

    async fn of_adapter(adapter: &wgpu::Adapter) -> Result<Self> {
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
        let gpu = Self::from_wgpu(&device, &queue)?;
        let lost = gpu.lost_handle();
        device.set_device_lost_callback(move |_, _| lost.device_lost());
        Ok(gpu)
    }

    /// The application's device and queue, whatever features and limits it asked for.
    ///
    /// Buffers and textures that it is given later must be of this device. Those of another device
    /// of the same instance are refused. Those of another instance of wgpu it cannot tell: wgpu
    /// numbers the objects of each instance by itself.
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
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let same = info.subgroup_min_size == info.subgroup_max_size;
        let allowed = device.features().contains(wgpu::Features::SUBGROUP);
        let subgroup = (allowed && (same || !software)).then_some(info.subgroup_min_size);
        Ok(Self {
            device: device.clone(),
            queue: queue.clone(),
            capabilities: Capabilities {
                limits,
                software,
                subgroup,
                narrow: software && info.subgroup_max_size < 8,
                int64: device.features().contains(wgpu::Features::SHADER_INT64),
                product: None,
            },
            info,
            pipelines: Arc::default(),
            cache: None,
            lost: LostHandle::default(),
            reports: Arc::default(),
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
        &self.capabilities.limits
    }

    /// What a plan has to know of the device.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Plans for this device as if it had other capabilities: for hardware, for software, without
    /// subgroup operations, with one tiling of all matrix products. This compares on one device what
    /// is made for others. The limits and what the compiler bears stay the device's own, and subgroups
    /// and integers of 64 bits can only be given up.
    #[must_use]
    pub fn planned_for(&self, capabilities: &Capabilities) -> Self {
        let own = &self.capabilities;
        let subgroup = capabilities.subgroup.filter(|size| own.subgroup == Some(*size));
        let int64 = capabilities.int64 && own.int64;
        let (limits, narrow) = (own.limits.clone(), own.narrow);
        let capabilities = Capabilities { limits, subgroup, narrow, int64, ..capabilities.clone() };
        Self { capabilities, ..self.clone() }
    }

    /// Compiles kernels through the application's pipeline cache: a later start of the application
    /// finds them there.
    #[must_use]
    pub fn with_pipeline_cache(mut self, cache: &wgpu::PipelineCache) -> Self {
        self.cache = Some(cache.clone());
        self
    }

    /// A handle for the application's device-lost callback. A device made by [`Gpu::new`] has such a
    /// callback already. Without one, each call finds out by itself that the device is lost; in a
    /// browser only calls that wait do.
    ///
    /// ```no_run
    /// # fn on(gpu: &wgrad::Gpu, device: &wgpu::Device) {
    /// let lost = gpu.lost_handle();
    /// device.set_device_lost_callback(move |_, _| lost.device_lost());
    /// # }
    /// ```
    pub fn lost_handle(&self) -> LostHandle {
        self.lost.clone()
    }

    /// Waits for the device's reports on all calls until now. Only a browser reports late.
    ///
    /// # Errors
    /// The first error that was reported and that no other call has returned; a lost device.
    pub async fn check_async(&self) -> Result<()> {
        std::future::poll_fn(|context| self.poll_reports(context.waker())).await?;
        self.check_present()
    }

    /// [`Gpu::check_async`], blocking.
    ///
    /// # Errors
    /// A lost device.
    #[cfg(not(target_family = "wasm"))]
    pub fn check(&self) -> Result<()> {
        pollster::block_on(self.check_async())
    }

    /// The first error among all reports, once they have come.
    fn poll_reports(&self, waker: &Waker) -> Poll<Result<()>> {
        lock(&self.reports).poll(waker).map(|error| match error {
            None => Ok(()),
            Some((what, error)) => Err(self.error(&what, error)),
        })
    }

    /// Checks that the device is not lost.
    pub(crate) fn check_present(&self) -> Result<()> {
        if self.is_lost() { Err(Error::DeviceLost) } else { Ok(()) }
    }

    /// Kernels compiled until now. The 256 that were used last are kept for what is made next.
    pub fn compiled(&self) -> usize {
        lock(&self.pipelines).compiled
    }

    /// Whether the adapter is a program on the CPU, such as llvmpipe or SwiftShader.
    pub fn is_software(&self) -> bool {
        self.capabilities.software
    }

    /// The largest buffer that can be made and bound, in bytes.
    pub fn max_binding(&self) -> u64 {
        self.capabilities.max_binding()
    }

    /// A buffer for storage that can be copied from and to, and bound as a uniform one where it is
    /// small enough, of at least four bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::OutOfMemory`], a lost device.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
        let buffer = self.storage(label, bytes)?;
        self.check_present()?;
        Ok(buffer)
    }

    /// [`Gpu::buffer`], of a device that may be lost.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer> {
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
        let size = bytes.max(4).checked_next_multiple_of(4).unwrap_or(u64::MAX);
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
        if self.lost.is_lost() {
            return Err(Error::DeviceLost);
        }
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        match self.answer(what, [internal, validation, memory]) {
            None => Ok(made),
            Some(error) => Err(self.error(what, error)),
        }
    }

    /// Pops scopes. Returns what they report now, and keeps what they will report later.
    fn answer<const N: usize>(
        &self,
        what: &str,
        scopes: [wgpu::ErrorScopeGuard; N],
    ) -> Option<wgpu::Error> {
        let mut context = Context::from_waker(Waker::noop());
        let mut found = None;
        for scope in scopes {
            let mut report = Box::pin(scope.pop());
            match report.as_mut().poll(&mut context) {
                Poll::Ready(error) => found = found.or(error),
                Poll::Pending => lock(&self.reports).add(what, report),
            }
        }
        found
    }

    fn error(&self, what: &str, error: wgpu::Error) -> Error {
        match error {
            wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory(what.into()),
            _ if self.is_lost() => Error::DeviceLost,
            error => {
                let message = error.to_string();
                // The words of wgpu, and those of a browser.
                let foreign = ["doesn't match Device", "cannot be used with [Device"];
                if foreign.iter().any(|words| message.contains(words)) {
                    let found = "an object of another device";
                    return Error::argument(what, found, "objects of this device");
                }
                match what.strip_prefix(SNIPPET) {
                    Some(what) => {
                        // Before the compiler's words come the call's, in a paragraph.
                        let words = message.find("\nShader ").map(|start| &message[start..]);
                        let message = words.unwrap_or(&message).trim().into();
                        Error::Snippet { what: what.into(), message }
                    }
                    None => Error::Wgpu { what: what.into(), message },
                }
            }
        }
    }

    /// Whether the device is lost. wgpu tells only the callback, which is the application's; but
    /// what a lost device creates is invalid without a report of its creation. A browser says
    /// nothing of a lost device's objects.
    fn is_lost(&self) -> bool {
        if self.lost.is_lost() || cfg!(target_family = "wasm") {
            return self.lost.is_lost();
        }
        let report = |work: &dyn Fn()| {
            use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
            let [memory, validation, internal] =
                [OutOfMemory, Validation, Internal].map(|kind| self.device.push_error_scope(kind));
            work();
            self.answer("a probe", [internal, validation, memory]).is_some()
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
        if invalid && !refused {
            self.lost.device_lost();
        }
        self.lost.is_lost()
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
        let buffer = self.make_buffer(
            label,
            wide(bytes.len()),
            usage,
            self.capabilities.limits.max_buffer_size,
        )?;
        self.write(&buffer, 0, bytes)?;
        Ok(buffer)
    }

    /// A storage buffer that holds `bytes`.
    pub(crate) fn buffer_with(&self, label: &str, bytes: &[u8]) -> Result<wgpu::Buffer> {
        let buffer = self.storage(label, wide(bytes.len()))?;
        self.write(&buffer, 0, bytes)?;
        Ok(buffer)
    }

    /// Submits what `record` records.
    pub(crate) fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<()> {
        self.guarded("a submission", || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            record(&mut encoder);
            self.queue.submit([encoder.finish()]);
        })
    }
}

/// A poisoned lock still guards whole values: each is written in one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
