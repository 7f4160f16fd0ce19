package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Without these two, much is refused; the rest of the bounding set is there.
var short = map[string]bool{"CAP_SYS_RESOURCE": true, "CAP_MAC_ADMIN": true}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	value := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// same holds a file to the JSON that is expected of it, whatever the order of its keys.
func same(t *testing.T, path, expected string) {
	t.Helper()
	if seen, wanted := parsed(t, read(t, path)), parsed(t, expected); !reflect.DeepEqual(seen, wanted) {
		t.Errorf("seen     %v\nexpected %v", seen, wanted)
	}
}

func capped(t *testing.T, missing map[string]bool, args ...string) {
	t.Helper()
	if err := capSpecifications(args, missing); err != nil {
		t.Fatal(err)
	}
}

const capabilities = `{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_MAC_ADMIN"],"ambient":[]}`

func TestMissingCapabilitiesLeaveTheSpecification(t *testing.T) {
	for _, command := range []string{"create", "run", "restore"} {
		path := write(t, "config.json", `{"process":{"capabilities":`+capabilities+`}}`)
		capped(t, short, "--root", "/run/runc", command, "--bundle", filepath.Dir(path), "id")
		same(t, path, `{"process":{"capabilities":{"bounding":["CAP_CHOWN"],"effective":[],"ambient":[]}}}`)
	}
}

func TestTheBundleMayBeGivenInEveryWay(t *testing.T) {
	for _, words := range [][]string{{"--bundle", "%"}, {"--bundle=%"}, {"-b", "%"}, {"-b=%"}} {
		path := write(t, "config.json", `{"process":{"capabilities":{"bounding":["CAP_MAC_ADMIN"]}}}`)
		args := []string{"create"}
		for _, word := range words {
			args = append(args, strings.ReplaceAll(word, "%", filepath.Dir(path)))
		}
		capped(t, short, append(args, "id")...)
		same(t, path, `{"process":{"capabilities":{"bounding":[]}}}`)
	}
}

func TestTheBundleIsTheWorkingDirectoryWhenNoneIsNamed(t *testing.T) {
	path := write(t, "config.json", `{"process":{"capabilities":{"bounding":["CAP_MAC_ADMIN"]}}}`)
	t.Chdir(filepath.Dir(path))
	capped(t, short, "run", "id")
	same(t, path, `{"process":{"capabilities":{"bounding":[]}}}`)
}

func TestMissingCapabilitiesLeaveTheProcessOfExec(t *testing.T) {
	path := write(t, "process.json", `{"args":["sh"],"capabilities":`+capabilities+`}`)
	capped(t, short, "exec", "--process", path, "--detach", "--pid-file", "/run/pid", "id")
	same(t, path, `{"args":["sh"],"capabilities":{"bounding":["CAP_CHOWN"],"effective":[],"ambient":[]}}`)
}

func TestTheCommandOfExecIsNotTakenForFlags(t *testing.T) {
	for _, args := range [][]string{
		{"exec", "id", "mkdir", "-p", "%"},
		{"exec", "--tty", "--user", "1000", "id", "tool", "--process", "%"},
		{"exec", "-t", "-e", "A=1", "id", "tool", "--process=%"},
		{"--debug", "exec", "--cwd=/tmp", "id", "run", "-p", "%"},
	} {
		text := `{"capabilities": {"bounding":["CAP_MAC_ADMIN"]}}`
		path := write(t, "a-file-of-the-user", text)
		for i, word := range args {
			args[i] = strings.ReplaceAll(word, "%", path)
		}
		capped(t, short, args...)
		if read(t, path) != text {
			t.Errorf("%v changed a file that is none of runc's", args)
		}
	}
}

func TestCommandsThatReadNoSpecificationChangeNothing(t *testing.T) {
	path := write(t, "config.json", `{"process":{"capabilities":{"bounding":["CAP_MAC_ADMIN"]}}}`)
	t.Chdir(filepath.Dir(path))
	for _, args := range [][]string{{"state", "run"}, {"kill", "create", "9"}, {"delete", "exec"}, {"--version"}, {}} {
		capped(t, short, args...)
	}
	same(t, path, `{"process":{"capabilities":{"bounding":["CAP_MAC_ADMIN"]}}}`)
}

func TestWhatIsNotKnownStaysAsItIs(t *testing.T) {
	text := `{"ociVersion":"1.2.0","annotations":{"a":"<b>&c"},"future":{"list":[1,null,true,1.5e300]},
		"process":{"user":{"uid":4294967295,"gid":0},"big":18446744073709551615,"negative":-9223372036854775808}}`
	path := write(t, "config.json", text)
	capped(t, short, "create", "--bundle", filepath.Dir(path), "id")
	same(t, path, text)
}

func TestTheFilesModeStays(t *testing.T) {
	path := write(t, "config.json", `{"process":{}}`)
	capped(t, short, "create", "--bundle", filepath.Dir(path), "id")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestASpecificationWithoutAProcessIsFine(t *testing.T) {
	path := write(t, "config.json", `{"ociVersion":"1.2.0"}`)
	capped(t, short, "create", "--bundle", filepath.Dir(path), "id")
	same(t, path, `{"ociVersion":"1.2.0"}`)
}

func TestABrokenSpecificationIsAnErrorThatNamesIt(t *testing.T) {
	path := write(t, "config.json", `{"process":`)
	err := capSpecifications([]string{"create", "--bundle", filepath.Dir(path), "id"}, short)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("seen %v", err)
	}
	if err := capSpecifications([]string{"create", "--bundle", t.TempDir(), "id"}, short); err == nil {
		t.Error("a bundle without config.json is no error")
	}
}

func TestAllDevicesBecomeTheirTwoHalves(t *testing.T) {
	rules := `[{"allow":false,"access":"rwm"},%,{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}]`
	for given, halves := range map[string]string{
		`{"allow":true,"access":"rwm"}`:           `{"allow":true,"type":"c","access":"rwm"},{"allow":true,"type":"b","access":"rwm"}`,
		`{"allow":true,"type":"a","access":"rm"}`: `{"allow":true,"type":"c","access":"rm"},{"allow":true,"type":"b","access":"rm"}`,
	} {
		wrap := func(middle string) string {
			return `{"linux":{"resources":{"devices":` + strings.ReplaceAll(rules, "%", middle) + `}}}`
		}
		path := write(t, "config.json", wrap(given))
		capped(t, short, "create", "--bundle", filepath.Dir(path), "id")
		same(t, path, wrap(halves))
	}
}

func ownLimit(t *testing.T) uint64 {
	t.Helper()
	limit, known := hardLimit("RLIMIT_NOFILE")
	if !known {
		t.Fatal("no hard limit of open files")
	}
	return limit
}

func TestLimitsAboveOursAreLeftToBeInherited(t *testing.T) {
	own := ownLimit(t)
	if own == syscall.RLIM_INFINITY&(1<<64-1) {
		t.Skip("no limit of ours to be above")
	}
	number := func(value uint64) string { return strconv.FormatUint(value, 10) }
	fits := `{"type":"RLIMIT_NOFILE","soft":10,"hard":` + number(own) + `}`
	unknown := `{"type":"RLIMIT_OF_TOMORROW","soft":1,"hard":18446744073709551615}`
	above := `{"type":"RLIMIT_NOFILE","soft":10,"hard":` + number(own+1) + `}`
	boundless := `{"type":"RLIMIT_NOFILE","soft":10,"hard":18446744073709551615}`
	text := `{"rlimits":[` + strings.Join([]string{above, fits, unknown, boundless}, ",") + `]}`
	path := write(t, "process.json", text)
	capped(t, short, "exec", "-p", path, "id")
	same(t, path, `{"rlimits":[`+fits+`,`+unknown+`]}`)

	// With CAP_SYS_RESOURCE limits can be raised: nothing is taken away.
	path = write(t, "process.json", text)
	capped(t, map[string]bool{"CAP_MAC_ADMIN": true}, "exec", "-p", path, "id")
	same(t, path, text)
}

func TestTheOutOfMemoryScoreIsNotLowered(t *testing.T) {
	raw, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Skip(err)
	}
	own, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	text := func(score int64) string { return `{"oomScoreAdj":` + strconv.FormatInt(score, 10) + `}` }
	for given, expected := range map[int64]int64{own - 1: own, own: own, own + 1: own + 1} {
		path := write(t, "process.json", text(given))
		capped(t, short, "exec", "-p", path, "id")
		same(t, path, text(expected))
	}
	path := write(t, "process.json", `{"args":[]}`)
	capped(t, short, "exec", "-p", path, "id")
	same(t, path, `{"args":[]}`)
}

func status(bounding uint64) string {
	return "Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t" + strconv.FormatUint(bounding, 16) + "\nCapAmb:\t0\n"
}

func TestMissingCapabilitiesAreReadFromTheBoundingSet(t *testing.T) {
	const full = 1<<41 - 1
	for _, one := range []struct {
		bounding uint64
		missing  map[string]bool
	}{
		{full, map[string]bool{}},
		{full &^ (1 << 24) &^ 1, map[string]bool{"CAP_SYS_RESOURCE": true, "CAP_CHOWN": true}},
		{full &^ (1 << 40), map[string]bool{"CAP_CHECKPOINT_RESTORE": true}},
		{full | 1<<50, map[string]bool{}},
	} {
		missing, err := missingCapabilities(write(t, "status", status(one.bounding)))
		if err != nil || !reflect.DeepEqual(missing, one.missing) {
			t.Errorf("%x: seen %v, %v; expected %v", one.bounding, missing, err, one.missing)
		}
	}
	for _, text := range []string{"", "Name:\tx\n", "CapBnd:\tno number\n"} {
		if _, err := missingCapabilities(write(t, "status", text)); err == nil {
			t.Errorf("%q is no error", text)
		}
	}
}

func TestTheNamesAreInTheOrderOfTheirBits(t *testing.T) {
	for name, bit := range map[string]int{
		"CAP_CHOWN": 0, "CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_MAC_ADMIN": 33,
		"CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40,
	} {
		if capabilityNames[bit] != name {
			t.Errorf("bit %d is %s, not %s", bit, capabilityNames[bit], name)
		}
	}
}
