// Rays and their samples. Three dispatches make a batch: `shoot_…` makes rays and counts the samples
// of each, `scan` gives them rows one behind the other, `place` writes the rows. A batch has as many
// rows as there are samples outside of empty space, and its order is the same on every run.

struct View {
    camera: Camera,
    // Pixels of a side of the picture, and the pixel of the first ray.
    size: u32,
    first: u32,
}

@group(0) @binding(0) var<storage, read> cameras: array<Camera>;
// [views, size, size], four 8-bit channels each.
@group(0) @binding(1) var<storage, read> photographs: array<u32>;
// The densities of the cells of the box, as they were last seen.
@group(0) @binding(2) var<storage, read> occupancy: array<f32>;
@group(0) @binding(3) var<storage, read_write> counts: Counts;
@group(0) @binding(4) var<storage, read_write> rays: array<Ray>;
@group(0) @binding(5) var<storage, read_write> spans: array<Span>;
// [rays]: the photographs' colours.
@group(0) @binding(6) var<storage, read_write> colours_seen: array<vec4<f32>>;
// [samples, 3]: what the density network reads.
@group(0) @binding(7) var<storage, read_write> positions: array<f32>;
// [samples, FEATURES + 3]: what the colour network reads. The features come later.
@group(0) @binding(8) var<storage, read_write> colour_inputs: array<f32>;
@group(0) @binding(9) var<uniform> view: View;

// Sample `k` of a ray: somewhere in its interval, elsewhere in each batch.
fn distance_of(k: u32, ray: Ray, seed: u32) -> f32 {
    let share = select(unit(mix_bits(seed + k)), 0.5, seed == 0u);
    return ray.near + (f32(k) + share) * STEP;
}

// Whether a sample there could be seen: less than a hundredth of the light is lost in a step of air.
fn is_occupied(p: vec3<f32>) -> bool {
    let cell = vec3<u32>(clamp((p - LOWER) / (UPPER - LOWER), vec3<f32>(0.0), vec3<f32>(0.9999)) * f32(CELLS));
    return occupancy[cell.x + CELLS * (cell.y + CELLS * cell.z)] * STEP > 0.01;
}

fn count_samples(ray: Ray, seed: u32) -> u32 {
    var count = 0u;
    for (var k = 0u; k < MAX_STEPS; k++) {
        let t = distance_of(k, ray, seed);
        if (t >= ray.far) { break; }
        count += u32(is_occupied(ray.origin + t * ray.direction));
    }
    return count;
}

// A ray through a random pixel of a random photograph.
@compute @workgroup_size(64)
fn shoot_photographs(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&rays)) { return; }
    let seed = mix_bits(id.x ^ mix_bits(counts.batch + SEED)) | 1u;
    let pixel = mix_bits(seed) % (PHOTOGRAPHS * SIZE * SIZE);
    let x = pixel % SIZE;
    let y = pixel / SIZE % SIZE;
    let place = (vec2<f32>(f32(x), f32(y)) + 0.5) / f32(SIZE);
    let ray = ray_through(cameras[pixel / (SIZE * SIZE)], place);
    rays[id.x] = ray;
    spans[id.x] = Span(0u, count_samples(ray, seed), seed);
    colours_seen[id.x] = unpack4x8unorm(photographs[pixel]);
}

// A ray through each pixel of a picture that is to be drawn.
@compute @workgroup_size(64)
fn shoot_view(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&rays)) { return; }
    let pixel = view.first + id.x;
    let place = vec2<f32>(f32(pixel % view.size), f32(pixel / view.size)) + 0.5;
    let ray = ray_through(view.camera, place / f32(view.size));
    rays[id.x] = ray;
    let is_inside = pixel < view.size * view.size;
    spans[id.x] = Span(0u, select(0u, count_samples(ray, 0u), is_inside), 0u);
}

var<workgroup> sums: array<u32, 256>;
var<workgroup> samples: atomic<u32>;
var<workgroup> rays_with_room: atomic<u32>;

// The running sum of the counts. A counter that all rays add to would be shorter, but the rows would
// change their order from run to run, and with it the last bits of every sum over the rows.
@compute @workgroup_size(256)
fn scan(@builtin(local_invocation_index) i: u32) {
    let total = arrayLength(&spans);
    let share = (total + 255u) / 256u;
    let begin = min(i * share, total);
    let end = min(begin + share, total);
    var sum = 0u;
    for (var ray = begin; ray < end; ray++) { sum += spans[ray].count; }
    sums[i] = sum;
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        workgroupBarrier();
        let before = select(0u, sums[i - min(reach, i)], i >= reach);
        workgroupBarrier();
        sums[i] += before;
    }
    let room = arrayLength(&positions) / 3u;
    var next = sums[i] - sum;
    for (var ray = begin; ray < end; ray++) {
        let first = next;
        next += spans[ray].count;
        let has_room = next <= room;
        spans[ray].first = select(NO_ROOM, first, has_room);
        if (has_room) {
            atomicMax(&samples, next);
            atomicAdd(&rays_with_room, 1u);
        }
    }
    workgroupBarrier();
    if (i == 0u) {
        counts = Counts(atomicLoad(&samples), atomicLoad(&rays_with_room), counts.batch + 1u);
    }
}

@compute @workgroup_size(64)
fn place(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&rays) || spans[id.x].first == NO_ROOM) { return; }
    let ray = rays[id.x];
    let span = spans[id.x];
    // Spherical harmonics take (v + 1) / 2.
    let direction = 0.5 * ray.direction + 0.5;
    var row = span.first;
    for (var k = 0u; row < span.first + span.count && k < MAX_STEPS; k++) {
        let p = ray.origin + distance_of(k, ray, span.seed) * ray.direction;
        if (!is_occupied(p)) { continue; }
        let held = clamp(p, LOWER, UPPER);
        for (var d = 0u; d < 3u; d++) {
            positions[3u * row + d] = held[d];
            colour_inputs[(FEATURES + 3u) * row + FEATURES + d] = direction[d];
        }
        row++;
    }
}
