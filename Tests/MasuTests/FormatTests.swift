import EngineAPIModel
import JSON
import MasuCommand
import Testing

@Suite("Formats")
struct FormatTests {
    private let container: JSONValue = [
        "Name": "/web", "State": ["Status": "running", "Running": true, "Pid": 42],
        "Config": ["Labels": ["b": "2", "a": "1"], "Env": ["A=1", "B=2"], "Cmd": nil],
        "Mounts": [["Source": "/a"], ["Source": "/b"]], "Size": 1.5,
    ]

    @Test(
        "templates print what Go prints",
        arguments: [
            ("{{.Name}}", "/web"), ("{{.State.Status}} {{.State.Pid}}", "running 42"),
            ("{{json .State}}", #"{"Status":"running","Running":true,"Pid":42}"#),
            ("{{.Config.Labels}}", "map[a:1 b:2]"), ("{{.Config.Env}}", "[A=1 B=2]"), ("{{.Config.Cmd}}", "<nil>"),
            ("{{range .Mounts}}{{.Source}};{{end}}", "/a;/b;"), ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
            ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "a=1,b=2,"),
            ("{{range $i, $e := .Config.Env}}{{$i}}{{end}}", "01"),
            ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            ("{{if eq .State.Status \"exited\"}}a{{else if gt .State.Pid 40}}b{{else}}c{{end}}", "b"),
            ("{{with .State}}{{.Pid}}{{end}}", "42"), ("{{with .Config.Cmd}}x{{else}}y{{end}}", "y"),
            ("{{index .Config.Labels \"a\"}}{{(index .Mounts 1).Source}}", "1/b"), ("{{len .Mounts}}", "2"),
            ("{{.Name | upper | printf \"%s-%d\" | len}}", "17"),
            ("{{printf \"%-6s|%4d|%q\" .Name .State.Pid \"x\"}}", "/web  |  42|\"x\""),
            ("{{join .Config.Env \",\"}} {{index (split .Name \"e\") 1}}", "A=1,B=2 b"),
            ("{{title \"hello world\"}} {{lower \"ABC\"}} {{println 1 2}}", "Hello World abc 1 2\n"),
            ("{{and true .Name}} {{or \"\" 7}} {{not 1}} {{ne 1 2}}", "/web 7 false true"),
            ("a {{- \" b \" -}} c{{/* note */}}", "a b c"), ("{{$x := .Name}}{{$x}}{{$.State.Pid}}", "/web42"),
            ("{{print \"a\" 1 2 \"b\"}}", "a1 2b"), ("{{`raw`}}{{truncate .Name 2}}{{pad \"x\" 1 2}}|", "raw/w x  |"),
            ("{{.Size}}", "1.5"), ("{{.name}}", "/web"),
        ])
    func templates(text: String, expected: String) throws {
        #expect(try Template(parsing: text).rendered(container) == expected)
    }

    @Test(
        "a bad template is refused in Go's words",
        arguments: [
            ("{{.State.Status", ":1: unclosed action"), ("{{range .X}", ":1: bad character U+007D '}'"),
            ("{{foo .}}", ":1: function \"foo\" not defined"), ("{{if .A}}x", ":1: unexpected EOF"),
            ("{{end}}", ":1: unexpected {{end}}"), ("{{}}", ":1: missing value for command"),
        ])
    func badTemplates(text: String, reason: String) {
        #expect(throws: TemplateError(reason: reason, isSyntax: true)) { try Template(parsing: text) }
    }

    @Test("a field that is not there is an error that names it")
    func missingField() throws {
        let error = try #require(throws: TemplateError.self) { try Template(parsing: "{{.Foo}}").rendered(container) }
        #expect(error.description == #"template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo""#)
        let omitted = try Template(parsing: "{{.Health}}", missing: .omitted(["Health": nil]))
        #expect(try omitted.rendered(container) == "<nil>")
        #expect(try Template(parsing: "{{.Foo}}", missing: .noValue).rendered(container) == "<no value>")
    }

    private func summary() -> ContainerSummary {
        var summary = ContainerSummary()
        summary.id = "0123456789abcdef0123"
        summary.names = ["/web", "/other/alias"]
        summary.image = "debian"
        summary.command = "sleep 1000000000000000000000"
        summary.created = 1000
        summary.status = "Up 2 minutes"
        summary.labels = ["a": "b"]
        return summary
    }

    @Test("ps aligns its table as docker does")
    func table() throws {
        let row = ContainerRow(summary(), truncates: true, now: 1120).row
        let text = try ContainerRow.listing(showsSize: false).rendered([row], format: "")
        #expect(
            text == """
                CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         PORTS     NAMES
                0123456789ab   debian    "sleep 1000000000000…"   2 minutes ago   Up 2 minutes             web

                """)
    }

    @Test("the table of ps is that of its template, whichever way it is made")
    func tableByTemplate() throws {
        var other = summary()
        other.names = []
        other.ports = [PortSummary()]
        for showsSize in [false, true] {
            let listing = ContainerRow.listing(showsSize: showsSize)
            let columns = try #require(listing.shownColumns(""))
            #expect(listing.shownColumns("{{.ID}}") == nil && listing.shownColumns("table {{.ID}}") == nil)
            let usual = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"]
            let names = usual + (showsSize ? ["Size"] : [])
            #expect(columns == Set(names))
            let containers = [summary(), other].map { ContainerRow($0, truncates: true, now: 1120) }
            let template = "table " + names.map { "{{.\($0)}}" }.joined(separator: "\\t")
            // Another template, as far as anybody can see.
            let long = try listing.rendered(containers.map(\.row), format: template + "{{/* */}}")
            #expect(try listing.rendered(containers.map { $0.row(columns) }, format: "table") == long)
        }
    }

    @Test("ps reads of an answer what it shows, whatever is missing")
    func listedContainer() throws {
        let answer = #"""
            [{"Id":"0f","Names":["/web"],"Image":"box","ImageID":"sha256:1","Command":"sh","Created":7,"Ports":[
            {"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"}],"SizeRw":3,"SizeRootFs":4,"Labels":{"a":"b"},
            "State":"running","Status":"Up","HostConfig":{"NetworkMode":"back"},"NetworkSettings":{"Networks":
            {"back":{"IPAddress":"192.0.2.1"}}},"Mounts":[{"Type":"volume","Name":"data","Driver":"local"}]},
            {"Id":"1e","Names":null,"Labels":null,"Ports":null,"NetworkSettings":null,"Mounts":null}]
            """#
        let listed = try JSON.decode([ListedContainer].self, from: Array(answer.utf8)).map(\.summary)
        let whole = try JSON.decode([ContainerSummary].self, from: Array(answer.utf8))
        for (listed, whole) in zip(listed, whole) {
            let rows = [listed, whole].map { ContainerRow($0, truncates: false, now: 9).row }
            let table = ContainerRow.listing(showsSize: true)
            #expect(try table.rendered([rows[0]], format: "json") == table.rendered([rows[1]], format: "json"))
        }
        #expect(listed.count == 2)
        #expect(throws: JSONError.self) { try JSON.decode([ListedContainer].self, from: Array("[7]".utf8)) }
    }

    @Test("ps takes templates, tables of templates and json")
    func listFormats() throws {
        let row = ContainerRow(summary(), truncates: true, now: 1120).row
        let listing = ContainerRow.listing(showsSize: false)
        #expect(try listing.rendered([row, row], format: "{{.Names}}\\t{{.Label \"a\"}}") == "web\tb\nweb\tb\n")
        #expect(
            try listing.rendered([row], format: "table {{.ID}}\\t{{.Names}}")
                == "CONTAINER ID   NAMES\n0123456789ab   web\n")
        #expect(try listing.rendered([row], format: "json").hasPrefix(#"{"Command":"#))
        #expect(throws: CommandError.self) { try listing.rendered([row], format: "{{.Foo}}") }
    }

    @Test("neighbouring ports are shown as ranges where docker does")
    func ports() {
        func port(_ inside: Int, _ outside: Int = 0, _ ip: String = "0.0.0.0") -> PortSummary {
            var port = PortSummary()
            port.privatePort = inside
            port.publicPort = outside
            port.ip = outside == 0 ? "" : ip
            port.type = "tcp"
            return port
        }
        #expect(ContainerRow.ports([port(80, 8080), port(443)]) == "443/tcp, 0.0.0.0:8080->80/tcp")
        #expect(
            ContainerRow.ports([80, 81, 83].flatMap { [port($0, $0), port($0, $0, "::")] })
                == "0.0.0.0:80-81->80-81/tcp, [::]:80-81->80-81/tcp, 0.0.0.0:83->83/tcp, [::]:83->83/tcp")
        #expect(
            ContainerRow.ports([port(81, 8081), port(80, 8080)]) == "0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp")
        #expect(ContainerRow.ports([port(7001), port(7000)]) == "7000-7001/tcp")
        #expect(ContainerRow.ports([port(80, 8080, "::")]) == "[::]:8080->80/tcp")
    }

    @Test("an image without a name is shown all the same; one with two has two rows")
    func images() throws {
        var image = ImageSummary()
        image.id = "sha256:0123456789abcdef"
        image.size = 1_984_172
        image.created = 1000
        let listing = ImageRows.listing(showsDigests: false)
        let none = ImageRows(image, truncates: true, byDigest: false, now: 1010).rows
        #expect(
            try listing.rendered(none, format: "") == """
                REPOSITORY   TAG       IMAGE ID       CREATED          SIZE
                <none>       <none>    0123456789ab   10 seconds ago   1.98MB

                """)
        image.repoTags = ["a:1", "registry:5000/b:2"]
        let two = ImageRows(image, truncates: true, byDigest: false, now: 1010).rows
        #expect(try listing.rendered(two, format: "{{.Repository}} {{.Tag}}") == "a 1\nregistry:5000/b 2\n")
    }

    @Test("sizes have three digits and decimal units, or four and binary ones")
    func sizes() {
        #expect(HumanText.size(0) == "0B")
        #expect(HumanText.size(1_984_172) == "1.98MB")
        #expect(HumanText.size(1_000) == "1kB")
        #expect(HumanText.binarySize(25_275_000_000) == "23.54GiB")
    }

    @Test("times are given as durations, dates or seconds")
    func times() throws {
        #expect(try TimeText.apiTimestamp("10m", now: 1000.5) == "400.500000000")
        #expect(try TimeText.apiTimestamp("0s", now: 1000.5) == "1000.500000000")
        #expect(try TimeText.apiTimestamp("0", now: 1000.5) == "0.000000000")
        #expect(try TimeText.apiTimestamp("2013-01-02T13:23:37Z") == "1357133017.000000000")
        #expect(try TimeText.apiTimestamp("2013-01-02T13:23:37.5+01:00") == "1357129417.500000000")
        #expect(try TimeText.apiTimestamp("1136073845.5") == "1136073845.500000000")
        #expect(throws: CommandError("failed to parse value as time or duration: \"foo\"")) {
            try TimeText.apiTimestamp("foo")
        }
    }

    @Test("an event is a line with its attributes in order")
    func event() {
        var event = EventMessage()
        event.type = "container"
        event.action = "die"
        event.actor.id = "ab"
        event.actor.attributes = ["image": "debian", "exitCode": "1"]
        #expect(EventLine.text(event) == "container die ab (exitCode=1, image=debian)")
    }
}
