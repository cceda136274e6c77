//! Types that follow from where a component stands, and `$parameters` handed down.

use protocol::Result;

use super::Trail;
use crate::source::declarative::value::{Map, Value};

const PARAMETERS: &str = "$parameters";

/// The type of a component without one, by its parent's type and field.
const TYPES: [(&str, &str); 37] = [
    ("CompositeErrorHandler.error_handlers", "DefaultErrorHandler"),
    ("CursorPagination.decoder", "JsonDecoder"),
    ("DatetimeBasedCursor.end_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor.end_time_option", "RequestOption"),
    ("DatetimeBasedCursor.start_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor.start_time_option", "RequestOption"),
    ("DeclarativeSource.check", "CheckStream"),
    ("DeclarativeSource.spec", "Spec"),
    ("DeclarativeSource.streams", "DeclarativeStream"),
    ("DeclarativeStream.retriever", "SimpleRetriever"),
    ("DeclarativeStream.schema_loader", "JsonFileSchemaLoader"),
    ("DynamicDeclarativeStream.stream_template", "DeclarativeStream"),
    ("DynamicDeclarativeStream.components_resolver", "ConfigComponentResolver"),
    ("HttpComponentsResolver.retriever", "SimpleRetriever"),
    ("HttpComponentsResolver.components_mapping", "ComponentMappingDefinition"),
    ("ConfigComponentsResolver.stream_config", "StreamConfig"),
    ("ConfigComponentsResolver.components_mapping", "ComponentMappingDefinition"),
    ("DefaultErrorHandler.response_filters", "HttpResponseFilter"),
    ("DefaultPaginator.decoder", "JsonDecoder"),
    ("DefaultPaginator.page_size_option", "RequestOption"),
    ("DpathExtractor.decoder", "JsonDecoder"),
    ("DpathExtractor.record_expander", "RecordExpander"),
    ("HttpRequester.error_handler", "DefaultErrorHandler"),
    ("ListPartitionRouter.request_option", "RequestOption"),
    ("ParentStreamConfig.request_option", "RequestOption"),
    ("ParentStreamConfig.stream", "DeclarativeStream"),
    ("RecordExpander.parent_fields", "ParentFieldPath"),
    ("RecordSelector.extractor", "DpathExtractor"),
    ("RecordSelector.record_filter", "RecordFilter"),
    ("SimpleRetriever.paginator", "NoPagination"),
    ("SimpleRetriever.record_selector", "RecordSelector"),
    ("SimpleRetriever.requester", "HttpRequester"),
    ("SubstreamPartitionRouter.parent_stream_configs", "ParentStreamConfig"),
    ("AddFields.fields", "AddedFieldDefinition"),
    ("CustomPartitionRouter.parent_stream_configs", "ParentStreamConfig"),
    ("DynamicSchemaLoader.retriever", "SimpleRetriever"),
    ("SchemaTypeIdentifier.types_map", "TypesMap"),
];

/// The same for components that name a class of Python.
const CUSTOM_TYPES: [(&str, &str); 9] = [
    ("CompositeErrorHandler.backoff_strategies", "CustomBackoffStrategy"),
    ("DeclarativeStream.retriever", "CustomRetriever"),
    ("DeclarativeStream.transformations", "CustomTransformation"),
    ("DefaultErrorHandler.backoff_strategies", "CustomBackoffStrategy"),
    ("DefaultPaginator.pagination_strategy", "CustomPaginationStrategy"),
    ("HttpRequester.authenticator", "CustomAuthenticator"),
    ("HttpRequester.error_handler", "CustomErrorHandler"),
    ("RecordSelector.extractor", "CustomRecordExtractor"),
    ("SimpleRetriever.partition_router", "CustomPartitionRouter"),
];

/// The component with types and parameters in all that is below it.
pub(super) fn propagate(
    place: &str,
    component: Value,
    inherited: Option<&Map>,
    parents_win: bool,
) -> Result<Value> {
    let Value::Map(component) = component else { return Ok(component) };
    let none = Map::new();
    down(place, component, inherited.unwrap_or(&none), parents_win, &Trail::ROOT).map(Value::Map)
}

fn down(
    place: &str,
    mut component: Map,
    inherited: &Map,
    parents_win: bool,
    trail: &Trail<'_>,
) -> Result<Map> {
    if !component.contains("type") {
        let types: &[(&str, &str)] = if component.contains("class_name") { &CUSTOM_TYPES } else { &TYPES };
        if let Some((_, found)) = types.iter().find(|(known, _)| *known == place) {
            component.insert("type", *found);
        }
    }
    let mut current = match component.remove(PARAMETERS) {
        None => inherited.clone(),
        Some(Value::Map(own)) => {
            let (mut first, second) =
                if parents_win { (own, inherited.clone()) } else { (inherited.clone(), own) };
            for (key, value) in second {
                first.insert(key, value);
            }
            first
        }
        Some(other) => {
            return Err(trail.fail(format!("`{PARAMETERS}` must be an object, not {}", other.kind())));
        }
    };
    match component.get("type") {
        // A JSON schema is no component.
        Some(Value::List(_) | Value::Map(_)) => return Ok(component),
        Some(Value::Text(kind)) if kind == "object" => return Ok(component),
        Some(_) => {}
        None => return within(place, component, &current, parents_win, trail),
    }
    // A field that is there but falsy gives way too.
    for (key, value) in current.iter() {
        if !component.get(key).is_some_and(Value::is_true) {
            component.insert(key, value.clone());
        }
    }
    let kind = component.get("type").and_then(Value::as_text).unwrap_or_default().to_owned();
    for (field, value) in component.iter_mut() {
        if !matches!(value, Value::Map(_) | Value::List(_)) {
            continue;
        }
        // A parameter does not go down into the field of its own name.
        let excluded = current.remove(field);
        let (place, trail) = (format!("{kind}.{field}"), trail.key(field)?);
        if let Value::List(items) = value {
            for (index, item) in items.iter_mut().enumerate() {
                descend(&place, item, &current, parents_win, &trail.index(index)?)?;
            }
        } else {
            descend(&place, value, &current, parents_win, &trail)?;
        }
        // One that is falsy is lost for the fields that follow.
        if let Some(excluded) = excluded.filter(Value::is_true) {
            current.insert(field, excluded);
        }
    }
    if !current.is_empty() {
        component.insert(PARAMETERS, current);
    }
    Ok(component)
}

fn descend(
    place: &str,
    value: &mut Value,
    current: &Map,
    parents_win: bool,
    trail: &Trail<'_>,
) -> Result<()> {
    if let Value::Map(map) = value {
        *map = down(place, std::mem::take(map), current, parents_win, trail)?;
    }
    Ok(())
}

/// An object that is no component may hold components.
fn within(place: &str, mut object: Map, current: &Map, parents_win: bool, trail: &Trail<'_>) -> Result<Map> {
    let is_component = |value: &Value| value.get("type").is_some_and(Value::is_true);
    for (field, value) in object.iter_mut() {
        if is_component(value) {
            descend(place, value, current, parents_win, &trail.key(field)?)?;
        }
    }
    Ok(object)
}
