// The radiance cache: Müller, Rousselle, Novák and Keller, "Real-time Neural Radiance Caching for
// Path Tracing", 2021. Follows tracer.wgsl.
//
// A frame, pass after pass:
//   begin    the frame's number
//   extend   a few training paths, each a row of vertices; where a path ends, a query
//            -- the network answers the queries: what lies beyond a path's end
//   count    where each path's rows go, and how many there are
//   targets  back along each path: what each vertex scatters, which is what the network learns
//            -- four training steps, each on a quarter of these rows
//   trace    a short path in every pixel; at its second surface, a query
//            -- the network answers the queries, with the averaged parameters
//   shade    the path's own light, and its throughput times the answer

// A query's numbers: position, direction, normal, roughness, diffuse and specular reflectance.
const INPUTS = 16u;

// What the network predicts is divided by the surface's reflectance: it need not learn textures.
struct Query {
    inputs: array<f32, INPUTS>,
}

struct Colour {
    red: f32,
    green: f32,
    blue: f32,
}

// A vertex of a training path: what the network sees of it, and what ties it to the next one.
struct Vertex {
    query: Query,
    light: vec3<f32>,
    throughput: vec3<f32>,
    reflectance: vec3<f32>,
}

struct Path {
    vertices: u32,
    // The first row of the path's vertices.
    row: u32,
    // What comes from beyond the last vertex: known, or a factor of what the network answers.
    light: vec3<f32>,
    factor: vec3<f32>,
}

struct Pixel {
    light: vec3<f32>,
    factor: vec3<f32>,
}

struct Counters {
    frame: u32,
    rows: u32,
    // The rows of each training step's batch.
    batches: array<u32, 4>,
}

@group(0) @binding(2) var<storage, read_write> counters: Counters;
@group(0) @binding(3) var<storage, read_write> vertices: array<Vertex>;
@group(0) @binding(4) var<storage, read_write> paths: array<Path>;
@group(0) @binding(5) var<storage, read_write> queries: array<Query>;
@group(0) @binding(6) var<storage, read_write> answers: array<Colour>;
@group(0) @binding(7) var<storage, read_write> row_inputs: array<Query>;
@group(0) @binding(8) var<storage, read_write> row_targets: array<Colour>;
@group(0) @binding(9) var<storage, read_write> pixels: array<Pixel>;

override PATHS: u32;
// Rows of a training step, at most.
override BATCH: u32;
// Vertices of a training path, at most.
override LENGTH: u32;

fn reflectance(surface: Surface) -> vec3<f32> {
    return surface.diffuse + surface.specular + 0.01;
}

fn query(surface: Surface, outgoing: vec3<f32>) -> Query {
    let p = surface.position;
    let d = 0.5 * outgoing + 0.5;
    let n = 0.5 * surface.normal + 0.5;
    let a = surface.diffuse;
    let s = surface.specular;
    return Query(array(
        p.x, p.y, p.z, d.x, d.y, d.z, n.x, n.y, n.z, surface.roughness, a.x, a.y, a.z, s.x, s.y, s.z
    ));
}

// An answer of the network: light is not negative.
fn answer(index: u32) -> vec3<f32> {
    let colour = answers[index];
    return max(vec3(colour.red, colour.green, colour.blue), vec3(0.0));
}

@compute @workgroup_size(1)
fn begin() {
    counters.frame += 1u;
}

// Extends a path from a random pixel beyond its second surface. Its vertices become training rows.
@compute @workgroup_size(64)
fn extend(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= PATHS) {
        return;
    }
    // The highest bit sets these random numbers apart from those of the pixels.
    seed(index | 0x80000000u, counters.frame);
    // One path from each of PATHS ranges of pixels.
    let total = scene.width * scene.height;
    let share = (f32(index) + random()) / f32(PATHS);
    let direction = camera(min(u32(share * f32(total)), total - 1u));
    var path: Path;
    var end: Query;
    var surface = nearest(scene.eye, direction);
    var outgoing = -direction;
    var goes_on = surface.hit;
    if (goes_on) {
        let first = bounce(surface, outgoing);
        goes_on = first.goes_on;
        surface = first.next;
        outgoing = first.outgoing;
    }
    while (goes_on && path.vertices < LENGTH) {
        let step = bounce(surface, outgoing);
        let factor = reflectance(surface);
        vertices[index * LENGTH + path.vertices] =
            Vertex(query(surface, outgoing), step.light, step.throughput, factor);
        path.vertices += 1u;
        goes_on = step.goes_on;
        surface = step.next;
        outgoing = step.outgoing;
    }
    if (goes_on) {
        // Most paths end in what the network knows so far. It would believe itself for ever, were
        // there not some that go on to their very end.
        if (index % 16u == counters.frame % 16u) {
            path.light = scattered_light(surface, outgoing);
        } else {
            end = query(surface, outgoing);
            path.factor = reflectance(surface);
        }
    }
    paths[index] = path;
    queries[index] = end;
}

var<workgroup> sums_of_rows: array<u32, 256>;

// The first row of each path: a running sum of their vertices. No atomic counter: the rows have
// the same order in each run.
@compute @workgroup_size(256)
fn count(@builtin(local_invocation_index) lane: u32) {
    let share = (PATHS + 255u) / 256u;
    let first = min(lane * share, PATHS);
    let end = min(first + share, PATHS);
    var sum = 0u;
    for (var i = first; i < end; i++) {
        sum += paths[i].vertices;
    }
    sums_of_rows[lane] = sum;
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        workgroupBarrier();
        let before = sums_of_rows[max(lane, reach) - reach];
        workgroupBarrier();
        if (lane >= reach) {
            sums_of_rows[lane] += before;
        }
    }
    var row = sums_of_rows[lane] - sum;
    for (var i = first; i < end; i++) {
        paths[i].row = row;
        row += paths[i].vertices;
    }
    if (lane == 255u) {
        counters.rows = row;
        for (var step = 0u; step < 4u; step++) {
            counters.batches[step] = (row + 3u - step) / 4u;
        }
    }
}

// What the vertices of a path scatter, from the last to the first.
@compute @workgroup_size(64)
fn targets(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= PATHS) {
        return;
    }
    let path = paths[index];
    var light = path.light + path.factor * answer(index);
    for (var i = path.vertices; i > 0u; i--) {
        let vertex = vertices[index * LENGTH + i - 1u];
        light = vertex.light + vertex.throughput * light;
        let target_light = light / vertex.reflectance;
        // Rows are dealt like cards: the vertices of a path go to different steps.
        let row = path.row + i - 1u;
        let place = row % 4u * BATCH + row / 4u;
        row_inputs[place] = vertex.query;
        row_targets[place] = Colour(target_light.x, target_light.y, target_light.z);
    }
}

// A path of two surfaces in every pixel. The second one is the network's.
@compute @workgroup_size(64)
fn trace(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= scene.width * scene.height) {
        return;
    }
    seed(index, counters.frame);
    let direction = camera(index);
    let surface = nearest(scene.eye, direction);
    var pixel = Pixel(scene.sky, vec3(0.0));
    var asked: Query;
    if (surface.hit) {
        let step = bounce(surface, -direction);
        pixel.light = emission(surface, direction) + step.light;
        if (step.goes_on) {
            pixel.factor = step.throughput * reflectance(step.next);
            asked = query(step.next, step.outgoing);
        }
    }
    pixels[index] = pixel;
    queries[index] = asked;
}

// What the network itself knows: the first surface through the middle of every pixel.
@compute @workgroup_size(64)
fn look(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= scene.width * scene.height) {
        return;
    }
    let direction = through(vec2(f32(index % scene.width), f32(index / scene.width)) + 0.5);
    let surface = nearest(scene.eye, direction);
    var pixel = Pixel(scene.sky, vec3(0.0));
    var asked: Query;
    if (surface.hit) {
        pixel = Pixel(emission(surface, direction), reflectance(surface));
        asked = query(surface, -direction);
    }
    pixels[index] = pixel;
    queries[index] = asked;
}

@compute @workgroup_size(64)
fn shade(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= scene.width * scene.height) {
        return;
    }
    let pixel = pixels[index];
    sums[index] += vec4(pixel.light + pixel.factor * answer(index), 1.0);
}
