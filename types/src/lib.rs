//! The vocabulary of Holdfast: ids, signed-object layouts, rejections, limits.
