//! A kernel run by itself, on slices.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::kernels::{Access, Dispatch, Matmul};
use crate::numeric::wide;
use half::f16;

impl Gpu {
    /// Runs dispatches in order on buffers that hold `slots`, the kernel's without its parameters,
    /// and reads those back that one of them writes.
    pub(crate) async fn run_async(
        &self,
        dispatches: &[Dispatch],
        slots: &mut [Vec<u8>],
    ) -> Result<()> {
        let of = |dispatch: &Dispatch| -> Vec<_> {
            let slots = &dispatch.kernel().slots[1..];
            slots.iter().map(|slot| (slot.name, dispatch.access(slot))).collect()
        };
        let access = dispatches.first().map_or_else(Vec::new, of);
        if access.len() != slots.len() {
            return Err(Error::argument(
                "the number of slots",
                slots.len(),
                access.len().to_string(),
            ));
        }
        let buffers = slots
            .iter()
            .zip(&access)
            .map(|(bytes, (name, access))| match access {
                Access::Uniform => self.uniform(name, bytes),
                Access::Read | Access::ReadWrite => self.buffer_with(name, bytes),
                Access::Texture => Err(Error::argument(
                    format!("the slot `{name}`"),
                    "a texture",
                    "bytes of a buffer",
                )),
            })
            .collect::<Result<Vec<_>>>()?;
        let bound: Vec<_> = dispatches
            .iter()
            .map(|d| (d, buffers.iter().map(wgpu::Buffer::as_entire_binding).collect()))
            .collect();
        let prepared = self.prepare_all(&bound, None)?;
        self.submit(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            prepared.iter().for_each(|p| p.record(&mut pass));
        })?;
        for ((bytes, buffer), (_, access)) in slots.iter_mut().zip(&buffers).zip(access) {
            if access == Access::ReadWrite {
                let length = bytes.len();
                *bytes = self.read(buffer, 0, wide(length))?.await?;
            }
        }
        Ok(())
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
        pollster::block_on(self.run_async(gpu, slots))
    }

    /// [`Dispatch::run`] without blocking.
    ///
    /// # Errors
    /// Those of [`Dispatch::run`].
    pub async fn run_async(&self, gpu: &Gpu, slots: &mut [Vec<u8>]) -> Result<()> {
        gpu.run_async(std::slice::from_ref(self), slots).await
    }
}

impl Matmul {
    /// C, computed on the GPU from slices. `bias` is empty where there is no epilogue. Operands that
    /// are stored as f16 are rounded to it here.
    ///
    /// # Errors
    /// Those of [`Matmul::check`] and [`Dispatch::run`].
    #[cfg(not(target_family = "wasm"))]
    pub fn run(&self, gpu: &Gpu, a: &[f32], b: &[f32], bias: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.run_async(gpu, a, b, bias))
    }

    /// [`Matmul::run`] without blocking.
    ///
    /// # Errors
    /// Those of [`Matmul::run`].
    pub async fn run_async(
        &self,
        gpu: &Gpu,
        a: &[f32],
        b: &[f32],
        bias: &[f32],
    ) -> Result<Vec<f32>> {
        self.check(a.len(), b.len(), bias.len())?;
        let dispatches = self.dispatches(gpu.capabilities())?;
        let bytes = |values: &[f32]| bytemuck::cast_slice::<f32, u8>(values).to_vec();
        let bias = if bias.is_empty() { bytes(&[0.0; 4]) } else { bytes(bias) };
        let operand = |values: &[f32]| match self.half {
            false => bytes(values),
            true => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
        };
        let length = self.models * self.rows * self.columns;
        let mut slots = [operand(a), operand(b), bias, vec![0; 4 * length]];
        gpu.run_async(&dispatches, &mut slots).await?;
        Ok(bytemuck::pod_collect_to_vec(&slots[3]))
    }
}
