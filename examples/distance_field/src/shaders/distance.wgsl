// The signed distance to the mesh: negative inside. Ericson, "Real-Time Collision Detection", 2005, for
// the nearest point of a triangle; Bærentzen and Aanæs, 2005, for the sign.

struct Triangle {
    corners: array<vec4<f32>, 3>,
    face: vec4<f32>,
    // Of the edges from corner 0 to 1, 1 to 2, 2 to 0.
    edges: array<vec4<f32>, 3>,
    of_corners: array<vec4<f32>, 3>,
}

struct Node {
    low: vec3<f32>,
    first: u32,
    high: vec3<f32>,
    // Triangles of a leaf, or INNER where there are two children. A node of zeros is an empty leaf: on
    // llvmpipe the invocations of a fragment shader that only help their neighbours read zeros.
    count: u32,
}

const INNER = 0xffffffffu;

@group(1) @binding(0) var<storage, read> triangles: array<Triangle>;
@group(1) @binding(1) var<storage, read> nodes: array<Node>;

struct Nearest {
    point: vec3<f32>,
    // 0: the face, 1 to 3: an edge, 4 to 6: a corner.
    feature: u32,
}

fn nearest_of(p: vec3<f32>, a: vec3<f32>, b: vec3<f32>, c: vec3<f32>) -> Nearest {
    let ab = b - a;
    let ac = c - a;
    let ap = p - a;
    let d1 = dot(ab, ap);
    let d2 = dot(ac, ap);
    if (d1 <= 0.0 && d2 <= 0.0) { return Nearest(a, 4u); }
    let bp = p - b;
    let d3 = dot(ab, bp);
    let d4 = dot(ac, bp);
    if (d3 >= 0.0 && d4 <= d3) { return Nearest(b, 5u); }
    let vc = d1 * d4 - d3 * d2;
    if (vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0) { return Nearest(a + d1 / (d1 - d3) * ab, 1u); }
    let cp = p - c;
    let d5 = dot(ab, cp);
    let d6 = dot(ac, cp);
    if (d6 >= 0.0 && d5 <= d6) { return Nearest(c, 6u); }
    let vb = d5 * d2 - d1 * d6;
    if (vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0) { return Nearest(a + d2 / (d2 - d6) * ac, 3u); }
    let va = d3 * d6 - d5 * d4;
    if (va <= 0.0 && d4 >= d3 && d5 >= d6) {
        return Nearest(b + (d4 - d3) / ((d4 - d3) + (d5 - d6)) * (c - b), 2u);
    }
    let scale = 1.0 / (va + vb + vc);
    return Nearest(a + ab * vb * scale + ac * vc * scale, 0u);
}

// The square of the distance to a node's box.
fn to_box(p: vec3<f32>, node: u32) -> f32 {
    let away = max(max(nodes[node].low - p, p - nodes[node].high), vec3<f32>(0.0));
    return dot(away, away);
}

fn distance_to_mesh(p: vec3<f32>) -> f32 {
    var stack: array<u32, 32>;
    var height = 1u;
    stack[0] = 0u;
    var best = 1e30;
    var sign_of = 1.0;
    while (height > 0u) {
        height--;
        let at = stack[height];
        if (to_box(p, at) >= best) { continue; }
        let first = nodes[at].first;
        let count = nodes[at].count;
        if (count == INNER) {
            // The nearer child comes first.
            let turned = u32(to_box(p, first) < to_box(p, first + 1u));
            stack[height] = first + turned;
            stack[height + 1u] = first + 1u - turned;
            height += 2u;
            continue;
        }
        for (var i = first; i < first + count; i++) {
            let corners = triangles[i].corners;
            let found = nearest_of(p, corners[0].xyz, corners[1].xyz, corners[2].xyz);
            let away = p - found.point;
            let square = dot(away, away);
            if (square < best) {
                best = square;
                var normal = triangles[i].face.xyz;
                if (found.feature > 3u) {
                    normal = triangles[i].of_corners[found.feature - 4u].xyz;
                } else if (found.feature > 0u) {
                    normal = triangles[i].edges[found.feature - 1u].xyz;
                }
                sign_of = select(-1.0, 1.0, dot(away, normal) >= 0.0);
            }
        }
    }
    return sign_of * sqrt(best);
}
