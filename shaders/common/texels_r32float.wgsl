@group(0) @binding(2) var texels: texture_storage_2d_array<r32float, write>;
