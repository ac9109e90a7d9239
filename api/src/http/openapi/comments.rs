//! The comments of the schema, which describe its parts to whoever reads the document.

use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

/// What is said of a message.
pub(super) fn of_message(message: &MessageDescriptor) -> String {
    at(message.parent_file_descriptor_proto(), message.path())
}

/// What is said of a field.
pub(super) fn of_field(field: &FieldDescriptor) -> String {
    at(field.parent_message().parent_file_descriptor_proto(), field.path())
}

/// What is said of the method at a path, in the files that `near` comes with.
pub(super) fn of_method(near: &MessageDescriptor, path: &str) -> String {
    let Some((service, name)) = path.trim_start_matches('/').split_once('/') else {
        return String::new();
    };
    let method = near.parent_pool().get_service_by_name(service).and_then(|service| {
        let found = service.methods().find(|method| method.name() == name);
        found.map(|method| at(service.parent_file().file_descriptor_proto(), method.path()))
    });
    method.unwrap_or_default()
}

fn at(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let location = locations.into_iter().find(|location| location.path == path);
    let comment = location.and_then(|location| location.leading_comments.as_deref());
    comment.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
