// The gradient of each model, scaled by min(1, max / norm). One dispatch computes partial results
// of the norms, a second one combines them and scales. Elements are brought near 1 by a power of
// two before they are squared, so that no sum overflows or vanishes.
// Definition: src/kernels/step/clip.rs.

// Whether the gradient is scaled. Otherwise the partial results are computed.
override SCALES: bool = false;

@compute @workgroup_size(64)
fn clip(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.models * params.groups) {
        return;
    }
    let model = index / params.groups;
    let first = model * params.parameters;
    let begin = (index % params.groups) * params.chunk + local;
    let end = min(begin - local + params.chunk, params.parameters);
    let first_part = model * params.groups;
    // The bits of magnitudes have the order of the magnitudes, with values that are not finite above all.
    var top = 0u;
    if (SCALES) {
        for (var i = local; i < params.groups; i += 64u) {
            top = max(top, partial_norm[first_part + i].x);
        }
    } else {
        for (var i = begin; i < end; i += 64u) {
            top = max(top, bitcast<u32>(counted(first, i)) & 0x7fffffffu);
        }
    }
    top = max_of_workgroup(top, local);
    let scale = scale_of(top);
    var sum = 0.0;
    if (SCALES) {
        for (var i = local; i < params.groups; i += 64u) {
            let part = partial_norm[first_part + i];
            // The quotient of both scales, a power of two of 1 or less.
            let halvings = exponent_of(top) - exponent_of(part.x);
            let ratio = bitcast<f32>((127u - min(halvings, 127u)) << 23u);
            sum += bitcast<f32>(part.y) * ratio * ratio;
        }
    } else {
        for (var i = begin; i < end; i += 64u) {
            let value = counted(first, i) * scale;
            sum += value * value;
        }
    }
    sum = sum_of_workgroup(sum, local);
    if (SCALES) {
        // The norm times the scale. A gradient that is not finite stays as it is.
        let norm = sqrt(sum);
        if (top < 0x7f800000u && norm > params.max_norm * scale) {
            let factor = params.max_norm / norm;
            for (var i = begin; i < end; i += 64u) {
                if (rate_factor(i) != 0.0) {
                    gradient[first + i] = gradient[first + i] * scale * factor;
                }
            }
        }
    } else if (local == 0u) {
        partial_norm[index] = vec2<u32>(top, bitcast<u32>(sum));
    }
}

// Element `i` of the model whose elements begin at `first`; 0 for a frozen one.
fn counted(first: u32, i: u32) -> f32 {
    if (rate_factor(i) == 0.0) {
        return 0.0;
    }
    return gradient[first + i];
}
