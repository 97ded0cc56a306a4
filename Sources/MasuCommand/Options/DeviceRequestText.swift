import EngineAPIModel
import Flags
import Text

/// Devices that are asked for by name or by what they can do.
enum DeviceRequestText {
    /// `--gpus all`, `--gpus 2`, `--gpus '"device=0,1",capabilities=compute'`.
    static func gpus(_ text: String) throws(InvalidFlagValue) -> DeviceRequest {
        var request = DeviceRequest()
        var capabilities: [String] = []
        var seen: Set<String> = []
        for field in try CommaSeparated.fields(text) {
            let (key, value, hasValue) = KeyValueTexts.divide(field)
            guard seen.insert(hasValue ? key : "count").inserted else {
                throw InvalidFlagValue("gpu request key '\(hasValue ? key : "count")' can be specified only once")
            }
            guard hasValue else {
                request.count = try count(key)
                continue
            }
            switch key {
            case "driver": request.driver = value
            case "count": request.count = try count(value)
            case "device": request.deviceIDs = value.split(separator: ",").map(String.init)
            case "capabilities": capabilities += value.split(separator: ",").map(String.init)
            case "options":
                request.options = KeyValueTexts.dictionary(try CommaSeparated.fields(value))
            default: throw InvalidFlagValue("unexpected key '\(key)' in '\(field)'")
            }
        }
        if !seen.contains("count"), request.deviceIDs == nil { request.count = 1 }
        if request.options == nil { request.options = [:] }
        if !capabilities.contains("gpu") { capabilities.append("gpu") }
        request.capabilities = [capabilities]
        return request
    }

    private static func count(_ text: String) throws(InvalidFlagValue) -> Int {
        if text == "all" { return -1 }
        guard let number = Int(text) else {
            throw InvalidFlagValue("invalid count (\(text)): value must be either \"all\" or an integer")
        }
        return number
    }

    /// Whether a `--device` names a device of the Container Device Interface: `vendor.com/class=name`.
    static func isQualifiedName(_ text: String) -> Bool {
        guard !text.hasPrefix("/"), let equals = text.firstIndex(of: "=") else { return false }
        let kind = text[..<equals].split(separator: "/", omittingEmptySubsequences: false)
        return kind.count == 2 && kind.allSatisfy { !$0.isEmpty } && equals < text.index(before: text.endIndex)
    }

    /// The request for devices of the Container Device Interface; `nil` for none.
    static func devices(_ names: [String]) -> DeviceRequest? {
        guard !names.isEmpty else { return nil }
        var request = DeviceRequest()
        request.driver = "cdi"
        request.deviceIDs = names
        return request
    }
}
