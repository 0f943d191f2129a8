//! A plan bound to buffers.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Count, Gpu, Prepared};
use crate::plan::{Buffer, Node, Stages, StepGroup};
use std::collections::HashMap;

/// The buffers of a plan, made.
pub(crate) type Buffers = HashMap<Buffer, BufferRange>;

/// Makes the buffers of `plan` that are not in `buffers` yet.
pub(crate) fn make_buffers(gpu: &Gpu, plan: &[(Buffer, u64)], buffers: &mut Buffers) -> Result<()> {
    for (name, bytes) in plan {
        if !buffers.contains_key(name) {
            let made = if *name == Buffer::Hyper {
                gpu.uniform(&name.to_string(), &vec![0; crate::numeric::narrow(*bytes)])?
            } else {
                gpu.storage(&name.to_string(), *bytes)?
            };
            buffers.insert(*name, made.into());
        }
    }
    Ok(())
}

/// The buffer `name` among `buffers`.
pub(crate) fn find(buffers: &Buffers, name: Buffer) -> Result<&BufferRange> {
    buffers.get(&name).ok_or_else(|| Error::Internal(format!("the buffer `{name}` was not made")))
}

/// Makes the buffers of `stages` that are not in `buffers` yet, compiles its dispatches and binds
/// them. `texels` are what [`Buffer::Texels`] stands for. With a count of rows, the dispatch that
/// bounds them comes first.
pub(crate) fn bind(
    gpu: &Gpu,
    stages: &Stages,
    buffers: &mut Buffers,
    texels: &[wgpu::TextureView],
    count: Option<&Count>,
) -> Result<Vec<Prepared>> {
    make_buffers(gpu, &stages.buffers, buffers)?;
    prepare(gpu, &stages.nodes.iter().collect::<Vec<_>>(), buffers, texels, count)
}

/// Compiles dispatches and binds them to `buffers`, as [`bind`] does.
pub(crate) fn prepare(
    gpu: &Gpu,
    nodes: &[&Node],
    buffers: &Buffers,
    texels: &[wgpu::TextureView],
    count: Option<&Count>,
) -> Result<Vec<Prepared>> {
    let bound = nodes.iter().map(|node| {
        let bindings = node.buffers.iter().map(|name| match name {
            Buffer::Texels(i) => match texels.get(*i) {
                Some(view) => Ok(wgpu::BindingResource::TextureView(view)),
                None => Err(Error::Internal(format!("the texture `{name}` was not made"))),
            },
            _ => Ok(wgpu::BindingResource::Buffer(find(buffers, *name)?.binding())),
        });
        Ok((&node.dispatch, bindings.collect::<Result<Vec<_>>>()?))
    });
    gpu.prepare_all(&bound.collect::<Result<Vec<_>>>()?, count)
}

/// Records dispatches into one compute pass.
pub(crate) fn record(encoder: &mut wgpu::CommandEncoder, prepared: &[Prepared], times: u32) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for _ in 0..times {
        for dispatch in prepared {
            dispatch.record(&mut pass);
        }
    }
}

/// Steps ready to be recorded: some at once, and by themselves.
pub(crate) struct Program {
    /// What bounds the rows by a count.
    counting: Option<Prepared>,
    groups: Vec<(u32, Vec<Prepared>)>,
}

impl Program {
    pub fn new(
        gpu: &Gpu,
        groups: &[StepGroup],
        buffers: &Buffers,
        count: Option<&Count>,
    ) -> Result<Self> {
        let nodes: Vec<&Node> = groups.iter().flat_map(|stride| &stride.nodes).collect();
        let mut all = prepare(gpu, &nodes, buffers, &[], count)?.into_iter();
        let counting = count.and_then(|_| all.next());
        let groups = groups.iter().map(|s| (s.steps, all.by_ref().take(s.nodes.len()).collect()));
        Ok(Self { counting, groups: groups.collect() })
    }

    /// A single step.
    pub fn step(dispatches: Vec<Prepared>) -> Self {
        Self { counting: None, groups: vec![(1, dispatches)] }
    }

    /// Records `steps` steps into one compute pass.
    pub fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        steps: u32,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        self.counting.iter().for_each(|counting| counting.record(&mut pass));
        let mut left = steps;
        for (steps, stride) in &self.groups {
            while left >= *steps {
                stride.iter().for_each(|dispatch| dispatch.record(&mut pass));
                left -= steps;
            }
        }
    }
}
