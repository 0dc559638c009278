// Command extract reads a Terraform provider's Go source and prints, as JSON, which attributes of each resource type it cannot change in
// place: `ForceNew: true` of the plugin SDK, `RequiresReplace…` plan modifiers of the plugin framework. What is decided by code at plan
// time (CustomizeDiff, ModifyPlan) is not seen.
//
// Usage: go run ./extract <folder of the module>
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// How the aws provider says which resource type a function describes. Google's has values of `registry.Schema` for it.
var annotated = regexp.MustCompile(`@(?:SDK|Framework)Resource\("([a-z0-9_]+)"`)

// Deepest nesting that is followed: recursive schemas have no end.
const deepest = 12

// A Go package: what its functions, methods and variables say, and which types each type embeds.
type goPackage struct {
	functions map[string]*ast.FuncDecl
	methods   map[string]*ast.FuncDecl
	variables map[string]ast.Expr
	embedded  map[string][]string
}

// A resource type: where it is described, by a function or by an expression.
type described struct {
	in       *goPackage
	function string
	schema   ast.Expr
}

// A source is a whole module.
type source struct {
	// By folder, and by name.
	packages map[string]*goPackage
	named    map[string]*goPackage
	// String constants by name, for keys such as names.AttrName.
	constants map[string]string
	resources map[string]described
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "expected one argument: the folder of the provider's module")
		os.Exit(2)
	}
	module, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	types := map[string][]string{}
	for name, resource := range module.resources {
		types[name] = module.fixed(resource)
	}
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(types); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(root string) (*source, error) {
	module := &source{map[string]*goPackage{}, map[string]*goPackage{}, map[string]string{}, map[string]described{}}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err == nil {
			module.add(filepath.Dir(path), file)
		}
		return err
	})
	return module, err
}

func (module *source) add(folder string, file *ast.File) {
	in := module.packages[folder]
	if in == nil {
		in = &goPackage{map[string]*ast.FuncDecl{}, map[string]*ast.FuncDecl{}, map[string]ast.Expr{}, map[string][]string{}}
		module.packages[folder] = in
		module.named[file.Name.Name] = in
	}
	for _, declaration := range file.Decls {
		switch each := declaration.(type) {
		case *ast.FuncDecl:
			module.addFunction(in, each)
		case *ast.GenDecl:
			module.addValues(in, each)
			in.addTypes(each)
		}
	}
}

func (module *source) addFunction(in *goPackage, function *ast.FuncDecl) {
	if function.Recv != nil {
		in.methods[receiver(function)+"."+function.Name.Name] = function
		return
	}
	// A package may have several.
	if function.Name.Name == "init" {
		module.addRegistered(in, function)
		return
	}
	in.functions[function.Name.Name] = function
	for _, match := range annotated.FindAllStringSubmatch(comments(function.Doc), -1) {
		module.resources[match[1]] = described{in, function.Name.Name, nil}
	}
}

// Values with a Name and a Schema, which google's packages register when they are loaded.
func (module *source) addRegistered(in *goPackage, function *ast.FuncDecl) {
	ast.Inspect(function.Body, func(node ast.Node) bool {
		value, isValue := node.(*ast.CompositeLit)
		if !isValue {
			return true
		}
		fields := map[string]ast.Expr{}
		for _, element := range value.Elts {
			if pair, isPair := element.(*ast.KeyValueExpr); isPair {
				if name, isName := pair.Key.(*ast.Ident); isName {
					fields[name.Name] = pair.Value
				}
			}
		}
		name, isText := literal(fields["Name"])
		kind, isKind := fields["Type"].(*ast.SelectorExpr)
		isResource := isKind && !strings.Contains(kind.Sel.Name, "DataSource")
		if isText && isResource && fields["Schema"] != nil {
			module.resources[name] = described{in, "", fields["Schema"]}
		}
		return true
	})
}

// Directives and annotations are no part of a comment's text.
func comments(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	lines := []string{}
	for _, comment := range group.List {
		lines = append(lines, comment.Text)
	}
	return strings.Join(lines, "\n")
}

func (in *goPackage) addTypes(declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		declared, isType := spec.(*ast.TypeSpec)
		if !isType {
			continue
		}
		if structure, isStructure := declared.Type.(*ast.StructType); isStructure {
			for _, field := range structure.Fields.List {
				if name, isName := field.Type.(*ast.Ident); isName && len(field.Names) == 0 {
					in.embedded[declared.Name.Name] = append(in.embedded[declared.Name.Name], name.Name)
				}
			}
		}
	}
}

func (module *source) addValues(in *goPackage, declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		values, isValue := spec.(*ast.ValueSpec)
		if !isValue {
			continue
		}
		for index, name := range values.Names {
			if index >= len(values.Values) {
				continue
			}
			in.variables[name.Name] = values.Values[index]
			if text, isText := literal(values.Values[index]); isText && declaration.Tok == token.CONST {
				module.constants[name.Name] = text
			}
		}
	}
}

func receiver(function *ast.FuncDecl) string {
	kind := function.Recv.List[0].Type
	if star, isPointer := kind.(*ast.StarExpr); isPointer {
		kind = star.X
	}
	if name, isName := kind.(*ast.Ident); isName {
		return name.Name
	}
	return ""
}

// The paths of attributes that force a replacement.
func (module *source) fixed(resource described) []string {
	in := resource.in
	found := map[string]bool{}
	if resource.schema != nil {
		module.collectNamed(in, resource.schema, "", found, 0)
	} else {
		declaration := in.functions[resource.function]
		if method := in.schemaMethod(declaration); method != nil {
			declaration = method
		}
		module.collect(in, declaration.Body, "", found, 0)
	}
	paths := []string{}
	for path := range found {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	return paths
}

// The framework's constructor makes a value whose Schema method, or that of a type that it embeds, says it all.
func (in *goPackage) schemaMethod(constructor *ast.FuncDecl) *ast.FuncDecl {
	var method *ast.FuncDecl
	ast.Inspect(constructor.Body, func(node ast.Node) bool {
		if made, isMade := node.(*ast.CompositeLit); isMade {
			if name, isName := made.Type.(*ast.Ident); isName && method == nil {
				method = in.methodOf(name.Name, "Schema")
			}
		}
		return true
	})
	return method
}

func (in *goPackage) methodOf(kind, name string) *ast.FuncDecl {
	if method := in.methods[kind+"."+name]; method != nil {
		return method
	}
	for _, embedded := range in.embedded[kind] {
		if method := in.methodOf(embedded, name); method != nil {
			return method
		}
	}
	return nil
}

// Fields of a schema that hold further attributes.
var inner = map[string]bool{"Schema": true, "SchemaFunc": true, "Elem": true, "Attributes": true, "Blocks": true, "NestedObject": true}

// Walks into anything that may hold attributes: a map of them, or a call or a name that stands for one.
func (module *source) collect(in *goPackage, node ast.Node, path string, found map[string]bool, depth int) {
	if node == nil || depth > deepest {
		return
	}
	ast.Inspect(node, func(each ast.Node) bool {
		switch part := each.(type) {
		case *ast.CompositeLit:
			if isMap(part) {
				module.collectMap(in, part, path, found, depth)
				return false
			}
		case *ast.KeyValueExpr:
			name, isName := part.Key.(*ast.Ident)
			if isName && !inner[name.Name] {
				return false
			}
			if isName {
				module.collectNamed(in, part.Value, path, found, depth)
			}
		case *ast.ReturnStmt:
			for _, result := range part.Results {
				module.collectNamed(in, result, path, found, depth)
			}
		case *ast.AssignStmt:
			if target, isField := part.Lhs[0].(*ast.SelectorExpr); isField && inner[target.Sel.Name] {
				module.collectNamed(in, part.Rhs[0], path, found, depth)
			}
		}
		return true
	})
}

// Follows a name, or a call and its arguments, to what it stands for.
func (module *source) collectNamed(in *goPackage, value ast.Expr, path string, found map[string]bool, depth int) {
	switch each := value.(type) {
	case *ast.Ident:
		if variable, known := in.variables[each.Name]; known {
			module.collect(in, variable, path, found, depth+1)
		} else if function, known := in.functions[each.Name]; known && function.Body != nil {
			module.collect(in, function.Body, path, found, depth+1)
		}
	case *ast.CallExpr:
		if home, function := module.called(in, each); function != nil {
			module.collect(home, function.Body, path, found, depth+1)
		}
		for _, argument := range each.Args {
			if name, isName := argument.(*ast.Ident); isName && in.variables[name.Name] != nil {
				module.collectNamed(in, name, path, found, depth+1)
			}
		}
	}
}

// The function that is called, and its package; nil where it is none of this module.
func (module *source) called(in *goPackage, call *ast.CallExpr) (*goPackage, *ast.FuncDecl) {
	name := ""
	switch each := call.Fun.(type) {
	case *ast.Ident:
		name = each.Name
	case *ast.SelectorExpr:
		from, isName := each.X.(*ast.Ident)
		if !isName || module.named[from.Name] == nil {
			return nil, nil
		}
		in, name = module.named[from.Name], each.Sel.Name
	}
	if function := in.functions[name]; function != nil && function.Body != nil {
		return in, function
	}
	return nil, nil
}

func (module *source) collectMap(in *goPackage, attributes *ast.CompositeLit, path string, found map[string]bool, depth int) {
	for _, element := range attributes.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			continue
		}
		key := module.key(pair.Key)
		if key == "" {
			continue
		}
		at := key
		if path != "" {
			at = path + "." + key
		}
		if module.forces(in, pair.Value, 0) {
			found[at] = true
		}
		module.collectNamed(in, pair.Value, at, found, depth+1)
		module.collect(in, pair.Value, at, found, depth+1)
	}
}

// Whether an attribute itself forces a replacement, not one inside of it.
func (module *source) forces(in *goPackage, value ast.Expr, depth int) bool {
	if pointer, isPointer := value.(*ast.UnaryExpr); isPointer {
		value = pointer.X
	}
	if call, isCall := value.(*ast.CallExpr); isCall && depth < deepest {
		home, function := module.called(in, call)
		if function == nil {
			return false
		}
		forced := false
		ast.Inspect(function.Body, func(node ast.Node) bool {
			if result, isResult := node.(*ast.ReturnStmt); isResult && len(result.Results) > 0 {
				forced = forced || module.forces(home, result.Results[0], depth+1)
			}
			return true
		})
		return forced
	}
	fields, isFields := value.(*ast.CompositeLit)
	if !isFields {
		return false
	}
	for _, element := range fields.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			continue
		}
		name, isName := pair.Key.(*ast.Ident)
		if !isName {
			continue
		}
		if flag, isFlag := pair.Value.(*ast.Ident); name.Name == "ForceNew" && isFlag && flag.Name == "true" {
			return true
		}
		if name.Name == "PlanModifiers" && requiresReplace(pair.Value) {
			return true
		}
	}
	return false
}

func requiresReplace(modifiers ast.Expr) bool {
	found := false
	ast.Inspect(modifiers, func(node ast.Node) bool {
		if selector, isSelector := node.(*ast.SelectorExpr); isSelector {
			found = found || strings.HasPrefix(selector.Sel.Name, "RequiresReplace")
		}
		return !found
	})
	return found
}

func isMap(part *ast.CompositeLit) bool {
	_, isMapType := part.Type.(*ast.MapType)
	return isMapType
}

func (module *source) key(expression ast.Expr) string {
	if text, isText := literal(expression); isText {
		return text
	}
	switch each := expression.(type) {
	case *ast.Ident:
		return module.constants[each.Name]
	case *ast.SelectorExpr:
		return module.constants[each.Sel.Name]
	}
	return ""
}

func literal(expression ast.Expr) (string, bool) {
	basic, isBasic := expression.(*ast.BasicLit)
	if !isBasic || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}
