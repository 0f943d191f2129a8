// Marks a model as diverged at `step`. The first mark stays. All invocations of a dispatch give a
// model the same step, so their order does not matter.
fn mark_diverged(model: u32, step: vec2<u32>) {
    if (atomicLoad(&status.diverged[model]) == NOT_DIVERGED) {
        atomicStore(&status.diverged[params.models + model], step.y);
        atomicStore(&status.diverged[model], step.x);
    }
}
